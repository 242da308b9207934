import type { SecretProvider } from '../contracts/secret-provider';
import { invalidParameter } from '../errors';
import { decodeSecretRequest, encodeSecret, secretProviderMethods } from '../wire';
import type { ServedKind } from './method-table';

/** The wire method of a secret provider. */
export function secretProviderKind(provider: SecretProvider): ServedKind {
  return {
    kind: 'secretprovider',
    methods: {
      [secretProviderMethods.getSecret.method]: async (body, signal) => {
        const request = decodeSecretRequest(body);
        if (request.secretName === '') throw invalidParameter('"SecretName" is missing');
        return encodeSecret(await provider.getSecret(request, signal));
      },
    },
  };
}
