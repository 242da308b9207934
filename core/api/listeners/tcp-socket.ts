import { readFile } from 'node:fs/promises';
import type { ServerOptions } from 'node:https';
import type { Server } from 'node:net';
import { invalidParameter, type Logger } from '@gantry/sdk';
import { formatListenAddress, type ListenAddress, type TlsFiles } from './listen-address';
import { listening } from './listening';

type TcpAddress = Extract<ListenAddress, { kind: 'tcp' }>;

/** Listens on a TCP port. Without client verification whoever reaches the port is root here: said loudly. */
export async function listenOnTcp(server: Server, address: TcpAddress, log: Logger): Promise<void> {
  if (address.tls?.verifyClients !== true) {
    log.warn(
      `binding to ${formatListenAddress(address)} without verifying clients (--tlsverify): anyone who can reach it has root access to this host`,
      { address: formatListenAddress(address) },
    );
  }
  await listening(
    server,
    () => server.listen({ host: address.host, port: address.port }),
    formatListenAddress(address),
  );
}

/** @throws invalid-parameter  a file cannot be read; the message names it */
export async function tlsOptions(files: TlsFiles): Promise<ServerOptions> {
  const read = (path: string, what: string) =>
    readFile(path).catch((cause: Error) => {
      throw invalidParameter(`cannot read the TLS ${what} ${path}: ${cause.message}`, cause);
    });
  const [cert, key, ca] = await Promise.all([
    read(files.certFile, 'certificate'),
    read(files.keyFile, 'key'),
    files.caFile === undefined ? undefined : read(files.caFile, 'CA certificate'),
  ]);
  if (files.verifyClients && ca === undefined)
    throw invalidParameter('verifying TLS clients needs a CA certificate (tlscacert)');
  return {
    cert,
    key,
    ca,
    requestCert: files.verifyClients,
    rejectUnauthorized: files.verifyClients,
    minVersion: 'TLSv1.2',
  };
}
