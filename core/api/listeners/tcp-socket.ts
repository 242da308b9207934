import { readFile } from 'node:fs/promises';
import type { ServerOptions } from 'node:https';
import type { Server } from 'node:net';
import { invalidParameter, type Logger } from '@gantry/sdk';
import { formatListenAddress, type ListenAddress, type TlsFiles } from './listen-address';
import { listening } from './listening';

type TcpAddress = Extract<ListenAddress, { kind: 'tcp' }>;

/** Listens on a TCP port. Without client verification whoever reaches the port is root here: said loudly. */
export async function listenOnTcp(server: Server, address: TcpAddress, log: Logger): Promise<void> {
  warnWhenUnverified(formatListenAddress(address), address.tls, log);
  await listening(
    server,
    () => server.listen({ host: address.host, port: address.port }),
    formatListenAddress(address),
  );
}

/** @param name  the socket, for the log */
export function warnWhenUnverified(name: string, tls: TlsFiles | undefined, log: Logger): void {
  if (tls?.verifyClients === true) return;
  log.warn(
    `binding to ${name} without verifying clients (--tlsverify): anyone who can reach it has root access to this host`,
    { address: name },
  );
  if (tls === undefined)
    log.warn(
      'without encryption even a socket on localhost can be reached by scripts in a browser; serve a unix socket, or give --tlsverify with certificates',
      { address: name },
    );
}

/** @throws invalid-parameter  a file cannot be read, or is not what it should be; the message names it */
export async function tlsOptions(files: TlsFiles): Promise<ServerOptions> {
  const read = (path: string, what: string) =>
    readFile(path).catch((cause: Error) => {
      throw invalidParameter(`cannot read the TLS ${what} ${path}: ${cause.message}`, cause);
    });
  const { certFile, keyFile, caFile, verifyClients } = files;
  if (verifyClients && caFile === undefined)
    throw invalidParameter('verifying TLS clients needs a CA certificate (tlscacert)');
  // In this order, so that the same mistake is always told in the same words.
  const cert = await read(certFile, 'certificate');
  const key = await read(keyFile, 'key');
  // It is for verifying clients only, and dockerd does not look at it otherwise.
  const ca = verifyClients && caFile !== undefined ? await read(caFile, 'CA certificate') : undefined;
  // Each by itself first, so that the message names the one that is wrong.
  // Loaded with the first TLS socket: the daemon boots without.
  const { createSecureContext } = require('node:tls') as typeof import('node:tls');
  check(() => createSecureContext({ cert }), `${certFile} holds no TLS certificate in PEM form`);
  check(() => createSecureContext({ key }), `${keyFile} holds no private key in PEM form without a passphrase`);
  if (ca !== undefined) {
    const holdsOne = ca.includes('-----BEGIN CERTIFICATE-----');
    check(
      () => (holdsOne ? createSecureContext({ ca }) : fail('no certificate is in it')),
      `${caFile} holds no CA certificate in PEM form`,
    );
  }
  check(() => createSecureContext({ cert, key }), `the key ${keyFile} does not belong to the certificate ${certFile}`);
  return { cert, key, ca, requestCert: verifyClients, rejectUnauthorized: verifyClients, minVersion: 'TLSv1.2' };
}

function check(use: () => unknown, complaint: string): void {
  try {
    use();
  } catch (cause) {
    throw invalidParameter(`invalid TLS configuration: ${complaint}: ${(cause as Error).message}`, cause);
  }
}

function fail(message: string): never {
  throw new Error(message);
}
