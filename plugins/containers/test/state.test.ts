import { expect, test } from '@jest/globals';
import { Container } from '../run/container';
import { restartDelayMs, startsWithDaemon } from '../run/restart-policy';
import { parseSignal } from '../run/signals';
import { startFailure, taskError } from '../run/start-error';
import { createdState, nextState } from '../run/state';
import { record } from './records';

const at = '2026-01-01T00:00:00.000Z';

test('a container goes from created over running to exited and back', () => {
  let state = nextState(createdState, { to: 'running', pid: 7, at });
  expect(state).toMatchObject({ status: 'running', pid: 7, startedAt: at });
  state = nextState(state, { to: 'paused' });
  state = nextState(state, { to: 'exited', exitCode: 3, oomKilled: false, at });
  expect(state).toMatchObject({ status: 'exited', pid: 0, exitCode: 3, finishedAt: at });
  expect(nextState(state, { to: 'running', pid: 8, at })).toMatchObject({ exitCode: 0, pid: 8 });
});

test('changes that make no sense are refused', () => {
  expect(() => nextState(createdState, { to: 'paused' })).toThrow('created cannot become paused');
  const running = nextState(createdState, { to: 'running', pid: 7, at });
  expect(() => nextState(running, { to: 'removing' })).toThrow('running cannot become removing');
});

test('a failed start leaves a container as it was, with the reason', () => {
  const failed = nextState(createdState, { to: 'start-failed', exitCode: 127, error: 'no such file', started: false });
  expect(failed).toMatchObject({ status: 'created', exitCode: 127, error: 'no such file' });
});

test('whoever waits learns the exit code, for the condition that was asked', async () => {
  const container = new Container(record(), '/nowhere');
  const never = new AbortController();
  expect(await container.wait('not-running', never.signal)).toEqual({ exitCode: 0 });
  const next = container.wait('next-exit', never.signal);
  const removed = container.wait('removed', never.signal);
  container.change({ to: 'running', pid: 1, at });
  container.change({ to: 'exited', exitCode: 9, oomKilled: false, at });
  expect(await next).toEqual({ exitCode: 9 });
  container.markRemoved();
  expect(await removed).toEqual({ exitCode: 9 });
  const given = container.wait('next-exit', never.signal);
  never.abort();
  expect(await given).toBeUndefined();
});

const exit = { exitCode: 1, ranMs: 50, restartCount: 0, stoppedOnPurpose: false, lastBackoffMs: 0 };

test('the wait before a restart doubles up to a minute and starts over after ten seconds of running', () => {
  const always = { Name: 'always', MaximumRetryCount: 0 };
  const delays: (number | undefined)[] = [];
  for (let last = 0, i = 0; i < 12; i++) {
    last = restartDelayMs(always, { ...exit, lastBackoffMs: last }) ?? 0;
    delays.push(last);
  }
  expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  expect(restartDelayMs(always, { ...exit, lastBackoffMs: 60000, ranMs: 10_001 })).toBe(100);
});

test('restart policies say when a container comes back', () => {
  const onFailure = { Name: 'on-failure', MaximumRetryCount: 2 };
  expect(restartDelayMs(onFailure, exit)).toBe(100);
  expect(restartDelayMs(onFailure, { ...exit, exitCode: 0 })).toBeUndefined();
  expect(restartDelayMs(onFailure, { ...exit, restartCount: 2 })).toBeUndefined();
  expect(restartDelayMs({ Name: 'no', MaximumRetryCount: 0 }, exit)).toBeUndefined();
  expect(restartDelayMs({ Name: 'always', MaximumRetryCount: 0 }, { ...exit, stoppedOnPurpose: true })).toBeUndefined();
  const last = { exitCode: 0, stoppedByUser: true, restartCount: 0 };
  expect(startsWithDaemon({ Name: 'always', MaximumRetryCount: 0 }, last)).toBe(true);
  expect(startsWithDaemon({ Name: 'unless-stopped', MaximumRetryCount: 0 }, last)).toBe(false);
  expect(startsWithDaemon(onFailure, last)).toBe(false);
  expect(startsWithDaemon(onFailure, { ...last, exitCode: 143 })).toBe(true);
});

test('signals have names and numbers', () => {
  expect(['9', 'KILL', 'sigterm', 'RTMIN+3'].map(parseSignal)).toEqual([9, 9, 15, 37]);
  for (const bad of ['0', '65', 'NOPE', '-1', 'RTMAX+1'])
    expect(() => parseSignal(bad)).toThrow(`invalid signal: ${bad}`);
});

test('what a failed start means to clients follows from the words of the runtime', () => {
  const fail = (words: string) => startFailure(taskError(new Error(words)));
  expect(fail('OCI runtime create failed: exec: "prog": executable file not found in $PATH')).toMatchObject({
    exitCode: 127,
    error: {
      kind: 'invalid-parameter',
      message:
        'failed to create task for container: failed to create shim task: OCI runtime create failed: exec: "prog": executable file not found in $PATH: unknown',
    },
  });
  expect(fail('exec: "prog": permission denied')).toMatchObject({
    exitCode: 126,
    error: { kind: 'invalid-parameter' },
  });
  expect(fail('no space left')).toMatchObject({ exitCode: 128, error: { kind: 'system' } });
});
