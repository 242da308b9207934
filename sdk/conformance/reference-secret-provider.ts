import type { SecretProvider } from '../contracts/secret-provider';
import { notFound } from '../errors';

/** The smallest provider that keeps every rule. */
export function referenceSecretProvider(secrets: Readonly<Record<string, string>>): SecretProvider {
  return {
    async getSecret({ secretName }) {
      const value = Object.hasOwn(secrets, secretName) ? secrets[secretName] : undefined;
      if (value === undefined) throw notFound(`no such secret: ${secretName}`);
      return { value: Buffer.from(value), doNotReuse: false };
    },
  };
}
