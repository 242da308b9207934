import type { SecretProvider } from '../contracts/secret-provider';
import { decodeSecret, encodeSecretRequest, secretProviderMethods } from '../wire';
import type { PluginClient } from './plugin-client';

/** A secret provider behind a socket. */
export function connectSecretProvider(client: PluginClient): SecretProvider {
  return {
    async getSecret(request, signal) {
      return decodeSecret(
        await client.call({ ...secretProviderMethods.getSecret, body: encodeSecretRequest(request), signal }),
      );
    },
  };
}
