import { type ErrorKind, errorKind } from '@gantry/sdk';

/** The HTTP status of every error kind; adding a kind without a status does not compile. */
export const httpStatus = {
  'invalid-parameter': 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  'not-implemented': 501,
  'rate-limited': 429,
  unavailable: 503,
  cancelled: 500,
  deadline: 504,
  system: 500,
} as const satisfies Record<ErrorKind, number>;

/** The status of any thrown value; everything that is not an EngineError is 500. */
export function errorStatus(error: unknown): number {
  return httpStatus[errorKind(error)] ?? 500;
}
