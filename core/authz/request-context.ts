import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { AuthorizationContext } from '@gantry/sdk';
import type { Wire } from '../api/doors/wire';
import type { Destination } from '../api/pipeline/authorizer';

/** What plugins are told beyond the protocol when they ask for it. */
export async function requestContext(
  wire: Wire,
  describe: () => Promise<Destination | undefined>,
): Promise<AuthorizationContext> {
  const destination = await describe();
  const peer = peerOf(wire.socket);
  const certificate = certificateOf(wire.socket);
  return {
    listener: wire.listener,
    ...(peer ? { peer } : {}),
    ...(certificate ? { certificate } : {}),
    ...destination,
  };
}

/** The kernel's word about who connected; nothing for ports. */
function peerOf(socket: Socket): AuthorizationContext['peer'] {
  const fd = (socket as Socket & { readonly _handle?: { readonly fd?: number } })._handle?.fd;
  if (socket.remoteAddress !== undefined || fd === undefined || fd < 0 || 'encrypted' in socket) return undefined;
  const { isTcpSocket, peerCredentials } =
    require('@gantry/sdk/linux/sockets') as typeof import('@gantry/sdk/linux/sockets');
  return isTcpSocket(fd) ? undefined : peerCredentials(fd);
}

function certificateOf(socket: Socket): AuthorizationContext['certificate'] {
  if (!('encrypted' in socket) || !(socket as TLSSocket).authorized) return undefined;
  const certificate: PeerCertificate = (socket as TLSSocket).getPeerCertificate();
  if (certificate.raw === undefined) return undefined;
  const subject = Object.entries(certificate.subject as unknown as Record<string, string | string[]>);
  return {
    subject: Object.fromEntries(subject.map(([name, value]) => [name, [value].flat()])),
    alternativeNames: splitNames(certificate.subjectaltname ?? ''),
  };
}

/** `DNS:a, DNS:"b, c"` → `DNS:a`, `DNS:b, c`: what could be mistaken for a separator comes as a JSON string. */
export function splitNames(text: string): string[] {
  const names = text.match(/[^,:"\s][^,:"]*:(?:"(?:[^"\\]|\\.)*"|[^,"]*)/g) ?? [];
  return names.map((name) => {
    const colon = name.indexOf(':') + 1;
    const value = name.slice(colon);
    return name.slice(0, colon) + (value.startsWith('"') ? String(JSON.parse(value)) : value);
  });
}
