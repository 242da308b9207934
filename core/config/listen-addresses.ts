import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ListenAddress, parseListenAddress, type TlsFiles } from '../api/listeners/listen-address';
import type { Configuration } from './read-configuration';

const socketPath = '/run/docker.sock';

/**
 * Checks an entry of `hosts` and brings it to its full form. Without a scheme it is tcp, as for dockerd.
 *
 * @throws invalid-parameter  it cannot be served; the message names it
 */
export function fullAddress(given: string): string {
  const text = given.trim();
  if (text === '') return `unix://${socketPath}`;
  const full = text.includes('://') ? text : `tcp://${text}`;
  parseListenAddress(full, { socketPath });
  return full;
}

/** Where the configuration wants the API. */
export function listenAddresses(
  { values, origins }: Pick<Configuration, 'values' | 'origins'>,
  env: NodeJS.ProcessEnv = process.env,
): ListenAddress[] {
  const group = values.group === '' ? undefined : { name: values.group, required: origins.has('group') };
  const tls = tlsFiles(values, env);
  return [...new Set(values.hosts)].map((text) => parseListenAddress(text, { socketPath, group, tls }));
}

function tlsFiles(values: Configuration['values'], env: NodeJS.ProcessEnv): TlsFiles | undefined {
  const verifyClients = values.tlsverify === true;
  if (!verifyClients && values.tls !== true) return undefined;
  const folder = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  return {
    certFile: resolve(values.tlscert ?? join(folder, 'cert.pem')),
    keyFile: resolve(values.tlskey ?? join(folder, 'key.pem')),
    caFile:
      verifyClients || values.tlscacert !== undefined ? resolve(values.tlscacert ?? join(folder, 'ca.pem')) : undefined,
    verifyClients,
  };
}
