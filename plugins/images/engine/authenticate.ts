import { EngineError, invalidParameter } from '@gantry/sdk';
import type { Credentials } from '../registry/credentials';
import { RegistryError } from '../registry/registry-error';
import type { Stores } from './stores';

/** Old clients name the default registry by this address. */
const legacyIndex = /^(https?:\/\/)?(index\.docker\.io|docker\.io|registry-1\.docker\.io)(\/.*)?$/;

/**
 * Tries credentials at a registry: POST /auth.
 *
 * @throws unauthorized  the registry refuses them
 */
export async function authenticate(
  credentials: Credentials,
  stores: Stores,
  signal: AbortSignal,
): Promise<{ Status: string; IdentityToken: string }> {
  const { serverAddress } = credentials;
  const domain =
    serverAddress === '' || legacyIndex.test(serverAddress)
      ? 'docker.io'
      : serverAddress.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  if (domain === '') throw invalidParameter(`invalid registry address "${serverAddress}"`);
  try {
    const access = { domain, path: '', credentials, actions: 'pull' as const };
    await stores.registries.connect(access, (client) => client.ping(signal), signal);
  } catch (error) {
    const refused = error instanceof RegistryError && (error.status === 401 || error.status === 403);
    if (refused)
      throw new EngineError('unauthorized', `login attempt to ${domain} failed: ${error.message}`, { cause: error });
    throw error;
  }
  return { Status: 'Login Succeeded', IdentityToken: '' };
}
