import { EngineError, type ErrorKind } from '@gantry/sdk';
import { isObject } from '../store/image-config';

/** An error answer of a registry. @see OCI distribution specification, "Error Codes" */
export class RegistryError extends EngineError {
  constructor(
    readonly status: number,
    /** `MANIFEST_UNKNOWN`; empty when the answer had none. */
    readonly code: string,
    message: string,
    retryAfterSeconds?: number,
  ) {
    super(kindOf(status), message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
  }
}

/** An answer other than the one wanted. */
export interface Refusal {
  readonly status: number;
  /** The header WWW-Authenticate. */
  readonly challenge: string | undefined;
  /** The header of this name. */
  readonly retryAfter: string | undefined;
  /** May be anything. */
  readonly body: string;
}

export function registryError({ status, body, retryAfter }: Refusal, method: string, url: URL): RegistryError {
  const seconds = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  const first = isObject(value) && Array.isArray(value.errors) ? (value.errors[0] as unknown) : undefined;
  if (isObject(first) && typeof first.code === 'string') {
    const words = first.code.toLowerCase().replaceAll('_', ' ');
    const message = typeof first.message === 'string' && first.message !== '' ? first.message : words;
    return new RegistryError(status, first.code, `${words}: ${message}`, seconds);
  }
  if (status === 401) return new RegistryError(status, 'UNAUTHORIZED', 'unauthorized: authentication required');
  if (status === 429)
    return new RegistryError(status, 'TOOMANYREQUESTS', `toomanyrequests: ${url.host} limits requests`, seconds);
  const blob = status === 404 ? /\/blobs\/(\w+:\w+)$/.exec(url.pathname)?.[1] : undefined;
  if (blob !== undefined)
    return new RegistryError(status, 'BLOB_UNKNOWN', `blob unknown: ${url.host} does not have ${blob}`);
  const text = `received unexpected HTTP status: ${status} (${method} "${url}")`;
  return new RegistryError(status, '', text, seconds);
}

function kindOf(status: number): ErrorKind {
  if (status === 404) return 'not-found';
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'rate-limited';
  return 'system';
}
