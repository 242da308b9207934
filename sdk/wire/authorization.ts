import type { AuthorizationRequest, AuthorizationResponse } from '../contracts/authz';
import { arrayField, field, stringField, stringMapField } from './fields';

const call = (name: string) => ({ method: `AuthZPlugin.${name}`, timeoutMs: 30_000, repeatable: true });

/** How each method behaves on the wire. @see volumeDriverMethods */
export const authorizationMethods = { request: call('AuthZReq'), response: call('AuthZRes') } as const;

/** The fields of AuthZReq, and with `response` those of AuthZRes; empty ones are absent. */
export function encodeAuthorization(request: AuthorizationRequest, response?: AuthorizationResponse): object {
  return withoutEmpty({
    User: request.user,
    UserAuthNMethod: request.userAuthMethod,
    RequestMethod: request.method,
    RequestUri: request.uri,
    RequestBody: request.body?.toString('base64'),
    RequestHeaders: request.headers,
    RequestPeerCertificates: request.peerCertificatesPem.map((pem) => Buffer.from(pem).toString('base64')),
    ResponseStatusCode: response?.status || undefined,
    ResponseBody: response?.body?.toString('base64'),
    ResponseHeaders: response?.headers,
  });
}

/** The other way round, for a plugin. */
export function decodeAuthorization(body: unknown): {
  request: AuthorizationRequest;
  response: AuthorizationResponse;
} {
  const status = field(body, 'ResponseStatusCode');
  return {
    request: {
      user: stringField(body, 'User'),
      userAuthMethod: stringField(body, 'UserAuthNMethod'),
      method: stringField(body, 'RequestMethod'),
      uri: stringField(body, 'RequestUri'),
      headers: stringMapField(body, 'RequestHeaders'),
      body: bytes(stringField(body, 'RequestBody')),
      peerCertificatesPem: arrayField(body, 'RequestPeerCertificates').map((item) =>
        Buffer.from(String(item), 'base64').toString('utf8'),
      ),
    },
    response: {
      status: typeof status === 'number' ? status : 0,
      headers: stringMapField(body, 'ResponseHeaders'),
      body: bytes(stringField(body, 'ResponseBody')),
    },
  };
}

const bytes = (text: string): Buffer | undefined => (text === '' ? undefined : Buffer.from(text, 'base64'));

function withoutEmpty(fields: Record<string, unknown>): object {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined && value !== '' && (typeof value !== 'object' || Object.keys(value!).length > 0),
    ),
  );
}
