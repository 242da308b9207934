import { equal, ok } from 'node:assert/strict';
import { type ErrorKind, errorKind, errorMessage } from '../errors';
import { breachBehind } from './suite';

/**
 * Expects `work` to fail with an error that says something.
 *
 * @param kind what the error must be, for drivers that tell: plain protocol answers do not
 */
export async function refuses(
  work: Promise<unknown>,
  what: string,
  kind?: ErrorKind,
  subject: { readonly tellsKinds?: boolean } = {},
): Promise<void> {
  let failure: unknown;
  try {
    await work;
  } catch (error) {
    failure = error;
  }
  const breach = breachBehind(failure);
  if (breach !== undefined) throw breach;
  ok(failure !== undefined, `${what} succeeded, expected an error`);
  ok(errorMessage(failure).length > 0, `${what} failed without a message`);
  if (kind !== undefined && subject.tellsKinds)
    equal(errorKind(failure), kind, `${what}: kind of the error "${errorMessage(failure)}"`);
}
