import { EngineError, type ErrorKind, errorKind, errorMessage } from '../errors';
import { stringField } from './fields';

/**
 * The body of a failed call. `Err` is the protocol's own field (IPAM drivers use `Error`). `ErrKind` is an addition
 * that other engines ignore: between our server and our client it keeps the kind of the error.
 */
export interface WireError {
  readonly Err?: string;
  readonly Error?: string;
  readonly ErrKind?: ErrorKind;
}

/** Which field carries an error in a 200 answer: `Error` for IPAM drivers, `Err` for all others (P-CALL-8). */
export type ErrorField = 'Err' | 'Error';

const kinds: Readonly<Record<ErrorKind, true>> = {
  'invalid-parameter': true,
  unauthorized: true,
  forbidden: true,
  'not-found': true,
  conflict: true,
  'not-modified': true,
  'not-implemented': true,
  'rate-limited': true,
  unavailable: true,
  cancelled: true,
  deadline: true,
  system: true,
};

/** The body of a failed call, with the kind of the error. */
export function encodeError(error: unknown, errorField: ErrorField = 'Err'): WireError {
  return { [errorField]: errorMessage(error), ErrKind: errorKind(error) };
}

/** The error an answer carries, or undefined when it carries none. `fallback` is the kind when none is told. */
export function decodeError(
  body: unknown,
  errorField: ErrorField = 'Err',
  fallback: ErrorKind = 'system',
  prefix = '',
): EngineError | undefined {
  const text = stringField(body, errorField);
  return text === '' ? undefined : new EngineError(decodeKind(body) ?? fallback, prefix + text);
}

/** The kind an answer names, or undefined when it names none that we know. */
export function decodeKind(body: unknown): ErrorKind | undefined {
  const kind = stringField(body, 'ErrKind');
  return Object.hasOwn(kinds, kind) ? (kind as ErrorKind) : undefined;
}
