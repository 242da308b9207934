import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

/* crun as the default; runc beside it with arguments, and by the shim's own options. */
const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
  config: {
    'default-runtime': 'crun',
    runtimes: {
      'runc-debug': { path: 'runc', runtimeArgs: ['--debug'] },
      'by-type': { runtimeType: 'io.containerd.runc.v2', options: { BinaryName: 'crun' } },
      absent: { path: '/opt/absent/runtime' },
      'no-shim': { runtimeType: 'io.containerd.warp.v9' },
    },
  },
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const run = (...args: string[]) => daemon().cli.run(args);

test('crun runs containers: output, exit codes, terminal, limits, user', async () => {
  expect(await docker('info', '-f', '{{.DefaultRuntime}}')).toBe('crun');
  expect(await run('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 42')).toEqual({
    code: 42,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  const options = ['--memory', '64m', '--pids-limit', '20', '-u', 'nobody', '--cap-drop', 'ALL', '--init'];
  const script =
    'id -un; grep CapEff /proc/self/status; cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max';
  expect((await docker('run', '--rm', ...options, 'busybox', 'sh', '-c', script)).split('\n')).toEqual([
    'nobody',
    'CapEff:\t0000000000000000',
    '20',
  ]);
  const terminal = daemon().cli.startOnTerminal(['run', '--rm', '-it', 'busybox', 'sh']);
  await terminal.shows(/\/ # /);
  terminal.type('tty; exit 5\r');
  expect((await terminal.end()).code).toBe(5);
});

test('crun says in familiar words what it could not start', async () => {
  const absent = await run('run', '--rm', 'busybox', 'no-such-command');
  expect([absent.code, absent.stderr]).toEqual([
    127,
    expect.stringContaining('exec: "no-such-command": executable file not found in $PATH'),
  ]);
  expect((await run('run', '--rm', 'busybox', '/not/there')).code).toBe(127);
  expect((await run('run', '--rm', 'busybox', '/etc')).code).toBe(126);
  await docker('run', '-d', '--name', 'up', 'busybox', 'sleep', '600');
  expect((await run('exec', 'up', 'no-such-command')).code).toBe(127);
  await docker('rm', '-f', 'up');
});

test('crun mounts a file read-only where there is none, and lifts the limit of processes', async () => {
  const file = join(daemon().folder, 'mounted-file');
  writeFileSync(file, 'said\n');
  const script = 'cat /deep/down/f; echo x > /deep/down/f; exec sleep 600';
  const options = ['-v', `${file}:/deep/down/f:ro`, '--pids-limit', '20'];
  await docker('run', '-d', '--name', 'reader', ...options, 'busybox', 'sh', '-c', script);
  await eventually('what it says', async () => (await docker('logs', 'reader')) === 'said');
  expect(readFileSync(file, 'utf8')).toBe('said\n');
  const limit = async () => (await daemon().api.get('/containers/reader/stats?stream=0&one-shot=1')).json().pids_stats;
  expect((await limit()).limit).toBe(20);
  await docker('update', '--pids-limit', '-1', '--memory', '64m', '--memory-swap', '64m', 'reader');
  expect((await limit()).limit).not.toBe(20);
  expect(await docker('inspect', '-f', '{{.HostConfig.Memory}}', 'reader')).toBe('67108864');
  await docker('rm', '-f', 'reader');
});

test('crun: exec, pause, update, stop, restart, logs and a memory kill', async () => {
  await docker('run', '-d', '--name', 'busy', 'busybox', 'sh', '-c', 'echo started; exec sleep 600');
  expect(await docker('exec', '-e', 'A=1', 'busy', 'sh', '-c', 'echo $A; hostname')).toMatch(/^1\n[0-9a-f]{12}$/);
  await docker('pause', 'busy');
  expect(await docker('inspect', '-f', '{{.State.Status}}', 'busy')).toBe('paused');
  await docker('unpause', 'busy');
  await docker('update', '--pids-limit', '33', 'busy');
  expect(
    await docker(
      'exec',
      'busy',
      'sh',
      '-c',
      'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max',
    ),
  ).toBe('33');
  await docker('restart', '-t', '0', 'busy');
  await eventually('both starts in the log', async () => (await docker('logs', 'busy')) === 'started\nstarted');
  await docker('stop', '-t', '0', 'busy');
  expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'busy')).toBe('137');
  await docker('rm', 'busy');
  await run(
    'run',
    '--name',
    'greedy',
    '--memory',
    '16m',
    '--memory-swap',
    '16m',
    'busybox',
    'sh',
    '-c',
    'tail /dev/zero',
  );
  expect(await docker('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'greedy')).toBe('true 137');
  await docker('rm', 'greedy');
});

test('containers outlive the daemon on crun, and are removed without a trace', async () => {
  await docker('run', '-d', '--name', 'survivor', '--restart', 'always', 'busybox', 'sleep', '600');
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'survivor');
  await daemon().kill();
  await daemon().start();
  expect(await docker('inspect', '-f', '{{.State.Pid}}', 'survivor')).toBe(pid);
  expect(await docker('exec', 'survivor', 'echo', 'there')).toBe('there');
  await docker('rm', '-f', 'survivor');
});

test('a container chooses its runtime: with arguments, or by the type of its shim', async () => {
  for (const runtime of ['runc', 'runc-debug', 'by-type', 'io.containerd.runc.v2']) {
    expect(await docker('run', '--rm', '--runtime', runtime, 'busybox', 'echo', runtime)).toBe(runtime);
    const id = await createContainer(daemon(), { HostConfig: { Runtime: runtime } });
    expect(await docker('inspect', '-f', '{{.HostConfig.Runtime}}', id)).toBe(runtime);
    await docker('rm', id);
  }
});

test('a runtime that is not installed says what is missing, and the container stays', async () => {
  const absent = await run('run', '--name', 'absent', '--runtime', 'absent', 'busybox', 'true');
  expect([absent.code, absent.stderr]).toEqual([
    125,
    expect.stringContaining('runtime absent: OCI runtime /opt/absent/runtime is not installed'),
  ]);
  expect(await docker('inspect', '-f', '{{.State.Status}}', 'absent')).toBe('created');
  await docker('rm', 'absent');
  const noShim = await run('run', '--rm', '--runtime', 'no-shim', 'busybox', 'true');
  expect(noShim.stderr).toContain('containerd-shim-warp-v9 is not installed');
  expect((await run('run', '--rm', '--runtime', 'unheard-of', 'busybox', 'true')).stderr).toContain(
    'unknown or invalid runtime name: unheard-of',
  );
});
