import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { AuthorizationRequest } from '@gantry/sdk';

/** What authorization plugins are told about a request (P-AZ, section 7.1 of the plugin protocol). */
export function shownRequest(request: IncomingMessage, body: Buffer | undefined): AuthorizationRequest {
  const certificates = peerCertificates(request.socket);
  return {
    user: certificates.length === 0 ? '' : lastOf(certificates[0]!.subject.CN),
    userAuthMethod: certificates.length === 0 ? '' : 'TLS',
    method: request.method ?? '',
    uri: request.url ?? '',
    headers: shownHeaders(request.rawHeaders),
    body,
    peerCertificatesPem: certificates.map(({ raw }) => pem(raw)),
  };
}

/** Credentials are nobody's business; the other two are not headers to those who wrote plugins against dockerd. */
const hidden = new Set(['authorization', 'x-registry-auth', 'x-registry-config', 'host', 'transfer-encoding']);

/** Names in their canonical case, the last value of each. @param raw  names and values in turn */
export function shownHeaders(raw: readonly string[]): Record<string, string> {
  const shown: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (!hidden.has(name)) shown[name.replace(/(^|-)[a-z]/g, (first) => first.toUpperCase())] = raw[i + 1]!;
  }
  return shown;
}

/** The client's certificate and those it sent along; empty without TLS and when none was asked for. */
function peerCertificates(socket: Socket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  if (!('encrypted' in socket)) return chain;
  let certificate: DetailedPeerCertificate | undefined = (socket as TLSSocket).getPeerCertificate(true);
  while (certificate?.raw !== undefined && !chain.some(({ raw }) => raw.equals(certificate!.raw))) {
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    // The root comes from our own file, not from the client.
    if (chain.length > 0 && issuer?.raw?.equals(certificate.raw)) break;
    chain.push(certificate);
    certificate = issuer;
  }
  return chain;
}

const pem = (der: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;

/** A subject may have several common names. */
const lastOf = (name: string | readonly string[] | undefined): string =>
  (typeof name === 'string' ? name : name?.at(-1)) ?? '';
