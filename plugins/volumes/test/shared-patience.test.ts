import { unavailable } from '@gantry/sdk';
import { SharedPatience } from '../shared-patience';

const never = () => new Promise<never>(() => {});
const ask = (patience: SharedPatience, work: () => Promise<unknown>, driver = 'slow') =>
  patience.ask(driver, `asking ${driver}`, work);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** How long the question took. */
async function timeOf(question: Promise<unknown>): Promise<number> {
  const askedAt = performance.now();
  let endedAt: number | undefined;
  void question.catch(() => undefined).finally(() => (endedAt = performance.now()));
  while (endedAt === undefined) await jest.advanceTimersByTimeAsync(10);
  return endedAt - askedAt;
}

test('a driver that hangs holds up who asks all of them once, then hardly, and no other driver', async () => {
  const patience = new SharedPatience();
  expect(await timeOf(ask(patience, never))).toBeGreaterThan(1500);
  expect(await timeOf(ask(patience, never))).toBeLessThan(200);
  const later = () => new Promise((resolve) => setTimeout(resolve, 1000));
  await expect(
    Promise.all([ask(patience, later, 'other'), jest.advanceTimersByTimeAsync(1000)]),
  ).resolves.toBeDefined();
});

test.each([
  ['answers', async () => 'here'],
  ['says at once that it cannot', () => Promise.reject(unavailable('gone'))],
])('one that %s gets the whole time again', async (_, work) => {
  const patience = new SharedPatience();
  await timeOf(ask(patience, never));
  await ask(patience, work).catch(() => undefined);
  expect(await timeOf(ask(patience, never))).toBeGreaterThan(1500);
});

test('a silence is forgotten after a while', async () => {
  const patience = new SharedPatience();
  await timeOf(ask(patience, never));
  await jest.advanceTimersByTimeAsync(11_000);
  expect(await timeOf(ask(patience, never))).toBeGreaterThan(1500);
});
