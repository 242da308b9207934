import { createLog } from '../../../log/create-logger';
import { ServiceNotifier, takeNotifyEnvironment } from '../service-notifier';

const silent = createLog('text', 'fatal', () => {});

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function notifier(environment = { socket: '/run/notify', watchdogMs: 30_000 as number | undefined }) {
  const told: string[] = [];
  return { told, it: new ServiceNotifier(environment, silent, (_, message) => told.push(message)) };
}

test('the variables are taken out of the environment, so that nobody else speaks in our name', () => {
  const env = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7', HOME: '/root' };
  expect(takeNotifyEnvironment(env, 7)).toEqual({ socket: '@x', watchdogMs: 30_000 });
  expect(env).toEqual({ HOME: '/root' });
});

test('a watchdog for another process is not ours to feed', () => {
  const env = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' };
  expect(takeNotifyEnvironment(env, 7).watchdogMs).toBeUndefined();
});

test('pings come more often than twice in the time of the watchdog', () => {
  const { told, it } = notifier();
  it.watch();
  jest.advanceTimersByTime(30_000);
  expect(told.filter((message) => message === 'WATCHDOG=1').length).toBeGreaterThanOrEqual(3);
  it.close();
  const before = told.length;
  jest.advanceTimersByTime(60_000);
  expect(told).toHaveLength(before);
});

test('a long start asks for more time until it is ready, and a long stop until the end', () => {
  const { told, it } = notifier();
  const asked = () => told.filter((message) => message.startsWith('EXTEND_TIMEOUT_USEC=')).length;
  it.working('Starting');
  jest.advanceTimersByTime(25_000);
  expect(asked()).toBe(2);
  it.ready('Serving');
  jest.advanceTimersByTime(60_000);
  expect(asked()).toBe(2);
  it.stopping('Stopping');
  jest.advanceTimersByTime(15_000);
  expect(asked()).toBe(3);
  it.close();
  expect(told).toEqual(expect.arrayContaining(['STATUS=Starting', 'READY=1\nSTATUS=Serving', 'STOPPING=1']));
});

test('a reload carries the time of the clock that systemd compares', () => {
  const { told, it } = notifier();
  const before = process.hrtime.bigint() / 1000n;
  it.reloading();
  const usec = BigInt(/^RELOADING=1\nMONOTONIC_USEC=(\d+)\n/.exec(told[0]!)![1]!);
  expect(usec).toBeGreaterThanOrEqual(before);
});

test('without a service manager nothing is sent, and one that is gone is no failure', () => {
  const alone = notifier({ socket: undefined as unknown as string, watchdogMs: 1 });
  alone.it.watch();
  alone.it.ready('x');
  expect(alone.told).toEqual([]);
  const gone = new ServiceNotifier({ socket: '/run/x' }, silent, () => {
    throw new Error('ECONNREFUSED');
  });
  expect(() => gone.ready('x')).not.toThrow();
});
