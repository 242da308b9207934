import { EngineError, type ErrorKind } from '@gantry/sdk';
import { errorStatus } from '../error-status';

test.each([
  ['invalid-parameter', 400],
  ['unauthorized', 401],
  ['forbidden', 403],
  ['not-found', 404],
  ['conflict', 409],
  ['not-modified', 304],
  ['not-implemented', 501],
  ['rate-limited', 429],
  ['unavailable', 503],
  ['cancelled', 500],
  ['deadline', 504],
  ['system', 500],
] as [ErrorKind, number][])('%s is %d', (kind, status) => {
  expect(errorStatus(new EngineError(kind, 'x'))).toBe(status);
});

test('anything else, and a kind from a newer SDK, is 500', () => {
  expect(errorStatus(new TypeError('x'))).toBe(500);
  expect(errorStatus('x')).toBe(500);
  expect(errorStatus(new EngineError('brand-new' as ErrorKind, 'x'))).toBe(500);
});
