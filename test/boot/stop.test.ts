import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { runGantryd } from '../support/gantryd-command';

const daemon = daemonForSuite({ config: { 'shutdown-timeout': 120 } });

interface State {
  readonly State: { readonly Status: string; readonly Pid: number; readonly ExitCode: number };
}
const state = async (name: string) => (await daemon().api.get(`/containers/${name}/json`)).json<State>().State;
const run = (name: string, ...args: string[]) => daemon().cli.ok('run', '-d', '--name', name, ...args);

test('a first SIGTERM waits for the containers; a second one leaves them to themselves', async () => {
  await run('deaf', '--stop-timeout=600', 'busybox', 'sh', '-c', 'trap "" TERM; echo up; while :; do sleep 1; done');
  await eventually('the container to be deaf', async () => (await daemon().cli.ok('logs', 'deaf')) === 'up');
  process.kill(daemon().pid, 'SIGTERM');
  await eventually('the first signal', () => daemon().log.includes('signal=SIGTERM times=1'));
  expect(daemon().runs).toBe(true);
  const hurriedAt = Date.now();
  process.kill(daemon().pid, 'SIGTERM');
  await eventually('the daemon to end', () => !daemon().runs);
  expect(Date.now() - hurriedAt).toBeLessThan(15_000);
  expect(daemon().tail(3)).toContain('daemon has stopped');
  expect(existsSync(join(daemon().folder, 'pid'))).toBe(false);
  await daemon().start();
  expect(await daemon().cli.run(['rm', '-f', 'deaf'])).toMatchObject({ code: 0 });
});

test('with live-restore, switched on while it ran, containers go on without the daemon', async () => {
  await run('kept', '--stop-timeout=1', 'busybox', 'sleep', '600');
  const before = await state('kept');
  daemon().changeConfig({ 'live-restore': true });
  const { configPath, folder } = daemon();
  expect(await runGantryd('reload', '--config-file', configPath, '--pidfile', join(folder, 'pid'))).toMatchObject({
    out: 'changed: live-restore\n',
  });
  await daemon().stop();
  expect(existsSync(`/proc/${before.Pid}`)).toBe(true);
  await daemon().start();
  expect(await state('kept')).toMatchObject({ Status: 'running', Pid: before.Pid });
});

test('without it they are stopped, as gently as they ask for', async () => {
  await run('polite', 'busybox', 'sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done');
  await eventually('the container to listen', async () => (await daemon().cli.ok('logs', 'polite')) === 'up');
  daemon().changeConfig({ 'live-restore': false });
  await runGantryd('reload', '--config-file', daemon().configPath, '--pidfile', join(daemon().folder, 'pid'));
  await daemon().stop();
  await daemon().start();
  expect(await state('polite')).toMatchObject({ Status: 'exited', ExitCode: 7 });
  expect(await state('kept')).toMatchObject({ Status: 'exited', ExitCode: 137 });
});

test('a container that asks for more time than the daemon has set is given it', async () => {
  await daemon().stop();
  daemon().changeConfig({ 'shutdown-timeout': 1 });
  await daemon().start();
  const script = 'trap "sleep 3; exit 7" TERM; echo up; while :; do sleep 0.1; done';
  await run('slow', '--stop-timeout=60', 'busybox', 'sh', '-c', script);
  await eventually('the container to listen', async () => (await daemon().cli.ok('logs', 'slow')) === 'up');
  await daemon().stop();
  await daemon().start();
  expect(await state('slow')).toMatchObject({ Status: 'exited', ExitCode: 7 });
});
