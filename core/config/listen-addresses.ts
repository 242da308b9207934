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
  // As for dockerd, the usual group may be missing even when it is named: only root can connect then.
  const required = origins.has('group') && values.group !== 'docker';
  const group = values.group === '' ? undefined : { name: values.group, required };
  const tls = tlsFiles(values, env);
  return [...new Set(values.hosts)].map((text) => parseListenAddress(text, { socketPath, group, tls }));
}

/**
 * As dockerd has it: `tlsverify` means TLS whatever its value, and TLS means that clients are verified unless
 * `tlsverify` is false.
 */
function tlsFiles(values: Configuration['values'], env: NodeJS.ProcessEnv): TlsFiles | undefined {
  if (values.tlsverify === undefined && values.tls !== true) return undefined;
  const verifyClients = values.tlsverify !== false;
  const folder = env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  return {
    certFile: resolve(values.tlscert ?? join(folder, 'cert.pem')),
    keyFile: resolve(values.tlskey ?? join(folder, 'key.pem')),
    caFile:
      verifyClients || values.tlscacert !== undefined ? resolve(values.tlscacert ?? join(folder, 'ca.pem')) : undefined,
    verifyClients,
  };
}
