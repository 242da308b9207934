import { invalidParameter } from '@gantry/sdk';
import { isObject } from '../store/image-config';

/** What a client sent for one registry. Never logged. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** An OAuth2 refresh token instead of a password. */
  readonly identityToken: string;
  /** A bearer token to use as it is. */
  readonly registryToken: string;
  readonly serverAddress: string;
}

export const anonymous: Credentials = {
  username: '',
  password: '',
  identityToken: '',
  registryToken: '',
  serverAddress: '',
};

/** The `X-Registry-Auth` header: JSON in base64url. Absent and empty mean anonymous. @throws invalid-parameter */
export function parseRegistryAuth(header: string | string[] | undefined): Credentials {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || text === '') return anonymous;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8') || '{}');
  } catch (error) {
    throw invalidParameter(`invalid X-Registry-Auth header: ${(error as Error).message}`);
  }
  // Some clients encode "no credentials" as null.
  return value === null ? anonymous : credentialsOf(value);
}

/** The AuthConfig schema of the API. @throws invalid-parameter */
export function credentialsOf(value: unknown): Credentials {
  if (!isObject(value)) throw invalidParameter('invalid X-Registry-Auth header: expected an object');
  const lower = new Map(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item]));
  const field = (name: string) => {
    const item = lower.get(name);
    return typeof item === 'string' ? item : '';
  };
  let username = field('username');
  let password = field('password');
  if (field('auth') !== '' && username === '') {
    const [name, ...rest] = Buffer.from(field('auth'), 'base64').toString('utf8').split(':');
    username = name ?? '';
    password = rest.join(':');
  }
  return {
    username,
    password,
    identityToken: field('identitytoken'),
    registryToken: field('registrytoken'),
    serverAddress: field('serveraddress'),
  };
}
