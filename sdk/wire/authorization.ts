import type { AuthorizationContext, AuthorizationRequest, AuthorizationResponse } from '../contracts/authz';
import { arrayField, field, stringField, stringMapField } from './fields';
import { sortedMap } from './request-text';

const call = (name: string) => ({ method: `AuthZPlugin.${name}`, timeoutMs: 30_000, repeatable: true });

/** How each method behaves on the wire. @see volumeDriverMethods */
export const authorizationMethods = { request: call('AuthZReq'), response: call('AuthZRes') } as const;

/**
 * Said in the handshake, beside `authz`, by a plugin that wants `RequestContext` with every call. Engines that do not
 * know it pass over it.
 */
export const authorizationContextKind = 'authz.context/v1';

/** The fields of AuthZReq, and with `response` those of AuthZRes; empty ones are absent. */
export function encodeAuthorization(request: AuthorizationRequest, response?: AuthorizationResponse): object {
  return withoutEmpty({
    User: request.user,
    UserAuthNMethod: request.userAuthMethod,
    RequestMethod: request.method,
    RequestUri: request.uri,
    RequestBody: request.body?.toString('base64'),
    RequestHeaders: sortedMap(request.headers),
    RequestPeerCertificates: request.peerCertificatesPem.map((pem) => Buffer.from(pem).toString('base64')),
    RequestContext: request.context && encodeContext(request.context),
    ResponseStatusCode: response?.status || undefined,
    ResponseBody: response?.body?.toString('base64'),
    ResponseHeaders: response && sortedMap(response.headers),
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
      ...decodeContext(field(body, 'RequestContext')),
    },
    response: {
      status: typeof status === 'number' ? status : 0,
      headers: stringMapField(body, 'ResponseHeaders'),
      body: bytes(stringField(body, 'ResponseBody')),
    },
  };
}

function encodeContext({ listener, peer, certificate, route, subject }: AuthorizationContext): object {
  return withoutEmpty({
    Listener: listener,
    Peer: peer && { Uid: peer.uid, Gid: peer.gid, Pid: peer.pid },
    Certificate: certificate && {
      Subject: certificate.subject,
      AlternativeNames: certificate.alternativeNames,
    },
    Route: route && { Method: route.method, Path: route.path, Params: route.params, ApiVersion: route.apiVersion },
    Subject: subject && { Kind: subject.kind, ID: subject.id, Name: subject.name, Labels: subject.labels },
  });
}

function decodeContext(value: unknown): { context?: AuthorizationContext } {
  if (value === undefined || value === null) return {};
  const [peer, certificate, route, subject] = ['Peer', 'Certificate', 'Route', 'Subject'].map((key) =>
    field(value, key),
  );
  const number = (of: unknown, key: string) => Number(field(of, key) ?? -1);
  const context: AuthorizationContext = {
    listener: stringField(value, 'Listener'),
    ...(peer ? { peer: { uid: number(peer, 'Uid'), gid: number(peer, 'Gid'), pid: number(peer, 'Pid') } } : {}),
    ...(certificate
      ? {
          certificate: {
            subject: (field(certificate, 'Subject') ?? {}) as Record<string, string[]>,
            alternativeNames: arrayField(certificate, 'AlternativeNames').map(String),
          },
        }
      : {}),
    ...(route
      ? {
          route: {
            method: stringField(route, 'Method'),
            path: stringField(route, 'Path'),
            params: stringMapField(route, 'Params'),
            apiVersion: stringField(route, 'ApiVersion'),
          },
        }
      : {}),
    ...(subject
      ? {
          subject: {
            kind: stringField(subject, 'Kind'),
            id: stringField(subject, 'ID'),
            name: stringField(subject, 'Name'),
            labels: stringMapField(subject, 'Labels'),
          },
        }
      : {}),
  };
  return { context };
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
