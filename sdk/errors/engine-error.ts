/**
 * The closed set of error kinds shared by the API, the engine and the plugin wire.
 * The HTTP status of each is decided in one place, the core's error table.
 */
export type ErrorKind =
  | 'invalid-parameter'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'not-modified'
  | 'not-implemented'
  | 'rate-limited'
  | 'unavailable'
  | 'cancelled'
  | 'deadline'
  | 'system';

/** A plugin of another process that did not answer, or is not there at all. */
export interface AbsentPlugin {
  readonly name: string;
  /** Where it was looked for, such as `unix:///run/docker/plugins/nfs.sock`. */
  readonly address?: string;
}

/** An expected failure. The message is for people: it names the thing, the reason and the next step. */
export class EngineError extends Error {
  /** When to ask again, for `rate-limited` and `unavailable`; clients are told as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Whose absence is the reason. */
  readonly absentPlugin?: AbsentPlugin;

  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { cause?: unknown; retryAfterSeconds?: number; absentPlugin?: AbsentPlugin },
  ) {
    super(message, options);
    this.name = 'EngineError';
    if (options?.retryAfterSeconds !== undefined) this.retryAfterSeconds = options.retryAfterSeconds;
    if (options?.absentPlugin !== undefined) this.absentPlugin = options.absentPlugin;
  }
}

/** Short forms: `throw notFound('No such container: web')`. */
export const invalidParameter = (message: string, cause?: unknown) => make('invalid-parameter', message, cause);
export const forbidden = (message: string, cause?: unknown) => make('forbidden', message, cause);
export const notFound = (message: string, cause?: unknown) => make('not-found', message, cause);
export const conflict = (message: string, cause?: unknown) => make('conflict', message, cause);
export const notModified = (message = '') => make('not-modified', message, undefined);
export const notImplemented = (message: string, cause?: unknown) => make('not-implemented', message, cause);
export const unavailable = (message: string, cause?: unknown) => make('unavailable', message, cause);
export const cancelled = (message: string, cause?: unknown) => make('cancelled', message, cause);
export const systemError = (message: string, cause?: unknown) => make('system', message, cause);

/** The kind of any thrown value; everything that is not an EngineError is `system`. */
export function errorKind(error: unknown): ErrorKind {
  return error instanceof EngineError || isForeignEngineError(error) ? error.kind : 'system';
}

/** The message of any thrown value, never empty. */
export function errorMessage(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}

/** The plugin whose absence is behind a failure, looked for in it and in its causes. */
export function absentPlugin(error: unknown): AbsentPlugin | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { absentPlugin: found } = at as Partial<EngineError>;
    if (found !== undefined) return found;
  }
  return undefined;
}

function make(kind: ErrorKind, message: string, cause: unknown): EngineError {
  return new EngineError(kind, message, cause === undefined ? undefined : { cause });
}

// A third-party plugin may bring its own copy of this package, so instanceof alone is not enough.
function isForeignEngineError(error: unknown): error is EngineError {
  return error instanceof Error && error.name === 'EngineError' && typeof (error as EngineError).kind === 'string';
}
