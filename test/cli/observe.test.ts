import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const api = () => daemon().api;
const inspect = async (name: string) => (await api().get(`/containers/${name}/json`)).json();

/** Actions and attributes of everything that happened to a container so far. */
async function eventsOf(name: string, ...actions: string[]) {
  const filters = encodeURIComponent(JSON.stringify({ container: [name], event: actions }));
  const until = Math.ceil(Date.now() / 1000) + 1;
  const { text } = await api().get(`/events?since=1&until=${until}&filters=${filters}`);
  const lines = text.trim().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as { Action: string; timeNano: number; Actor: { Attributes: any } });
}

test('a health check that fails often enough makes the container unhealthy, with an event and its output', async () => {
  const check = ['--health-cmd', 'echo is-ill; exit 3', '--health-interval', '100ms', '--health-retries', '2'];
  await docker('run', '-d', '--name', 'patient', ...check, 'busybox', 'sleep', '600');
  const health = async () => (await inspect('patient')).State.Health;
  await eventually('the verdict', async () => (await health()).Status === 'unhealthy');
  const { FailingStreak, Log } = await health();
  expect(FailingStreak).toBeGreaterThanOrEqual(2);
  expect(Log.at(-1)).toMatchObject({ ExitCode: 3, Output: 'is-ill\n', Start: expect.stringMatching(/\.\d{1,9}Z$/) });
  const actions = (await eventsOf('patient', 'health_status')).map(({ Action }) => Action);
  expect(actions).toEqual(['health_status: unhealthy']);
  expect(await docker('ps', '--filter', 'health=unhealthy', '--format', '{{.Names}} {{.Status}}')).toMatch(
    /^patient Up .* \(unhealthy\)$/,
  );
  await docker('rm', '-f', 'patient');
});

test('a crash loop is slowed down: each wait is twice the one before', async () => {
  await docker('run', '-d', '--name', 'crashing', '--restart', 'always', '--network', 'none', 'busybox', 'false');
  const starts = () => eventsOf('crashing', 'start');
  await eventually('five starts', async () => (await starts()).length >= 5, 30_000);
  const { State, RestartCount } = await inspect('crashing');
  expect(RestartCount).toBeGreaterThanOrEqual(4);
  expect(State).toMatchObject({ Restarting: State.Status === 'restarting' });
  const deaths = (await eventsOf('crashing', 'die')).map(({ timeNano }) => timeNano / 1e6);
  const pauses = (await starts()).slice(1, 5).map(({ timeNano }, i) => timeNano / 1e6 - deaths[i]!);
  // 100, 200, 400 and 800 ms, and what a start takes.
  for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(100 * 2 ** i - 5);
  const refused = await daemon().cli.run(['exec', 'crashing', 'true']);
  expect(refused.code).not.toBe(0);
  await docker('rm', '-f', 'crashing');
});

test('a container in a crash loop can be removed by force at any moment', async () => {
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      await docker('run', '-d', '--name', `loop${i}`, '--restart', 'always', '--network', 'none', 'busybox', 'false');
      await new Promise((resolve) => setTimeout(resolve, i * 60));
      expect((await api().delete(`/containers/loop${i}?force=1`)).status).toBe(204);
    }),
  );
  expect(await docker('ps', '-aq')).toBe('');
});

test('a container killed for its memory says so, with an event', async () => {
  const script = 'x=a; while :; do x=$x$x$x$x; done';
  const result = await daemon().cli.run(['run', '--name', 'hungry', '-m', '16m', 'busybox', 'sh', '-c', script]);
  expect(result.code).toBe(137);
  expect((await inspect('hungry')).State).toMatchObject({ OOMKilled: true, ExitCode: 137, Status: 'exited' });
  const actions = (await eventsOf('hungry', 'oom', 'die')).map(({ Action }) => Action);
  expect(actions).toEqual(['oom', 'die']);
  await docker('rm', 'hungry');
});

test('statistics are the numbers of the control groups', async () => {
  const busy = 'dd if=/dev/zero of=/dev/shm/f bs=1M count=20 2>/dev/null; while :; do :; done';
  await docker('run', '-d', '--name', 'busy', '--cpus', '0.5', '-m', '128m', 'busybox', 'sh', '-c', busy);
  const { pid, cgroup } = await eventually('the first work', async () => {
    const found = (await inspect('busy')).State.Pid as number;
    const directory = controlGroup(found);
    return directory.memory() > 20 << 20 ? { pid: found, cgroup: directory } : undefined;
  });
  expect(pid).toBeGreaterThan(0);
  const before = cgroup.cpuNs();
  const stats = (await api().get('/containers/busy/stats?stream=0')).json();
  const after = cgroup.cpuNs();
  const total = stats.cpu_stats.cpu_usage.total_usage;
  expect(total).toBeGreaterThanOrEqual(before);
  expect(total).toBeLessThanOrEqual(after);
  // Two samples a second apart: half a processor within what scheduling allows.
  const used = total - stats.precpu_stats.cpu_usage.total_usage;
  expect(used).toBeGreaterThan(0);
  expect(stats.cpu_stats.system_cpu_usage).toBeGreaterThan(stats.precpu_stats.system_cpu_usage);
  expect(Math.abs(stats.memory_stats.usage / cgroup.memory() - 1)).toBeLessThan(0.05);
  expect(stats.memory_stats.limit).toBe(128 << 20);
  expect(stats.pids_stats.current).toBe(1);
  expect(stats.networks.eth0.rx_bytes).toEqual(expect.any(Number));
  const line = ['--no-stream', '--no-trunc', '--format', '{{.Name}} {{.ID}} {{.MemUsage}} {{.PIDs}}', 'busy'];
  expect(await docker('stats', ...line)).toMatch(/^busy [0-9a-f]{64} \d[\d.]*MiB \/ 128MiB 1$/);
  await docker('create', '--name', 'idle', 'busybox', 'true');
  const all = await docker('stats', '-a', '--no-stream', '--format', 'json');
  expect(
    all
      .split('\n')
      .map((text) => JSON.parse(text).Name)
      .sort(),
  ).toEqual(['busy', 'idle']);
  const stream = daemon().cli.start(['stats', '--format', '{{.Name}}={{.CPUPerc}}', 'busy']);
  await stream.shows(/busy=[1-9]\d*\.\d\d%/);
  stream.child.kill('SIGKILL');
  await stream.end();
  await docker('rm', '-f', 'busy', 'idle');
});

test('top takes the arguments of ps and shows only what runs in the container', async () => {
  await docker('run', '-d', '--name', 'several', 'busybox', 'sh', '-c', 'sleep 601 & sleep 602 & wait');
  const own = await eventually('both children', async () => {
    const rows = (await docker('top', 'several')).split('\n');
    return rows.length === 4 ? rows : undefined;
  });
  expect(own[0]).toMatch(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
  expect(own.slice(1).join('\n')).toMatch(/sh -c sleep 601.*\n.*sleep 601\n.*sleep 602/);
  const chosen = (await docker('top', 'several', '-o', 'pid,args')).split('\n');
  expect(chosen[0]).toMatch(/^PID +COMMAND$/);
  expect(chosen).toHaveLength(4);
  expect((await docker('top', 'several', 'aux')).split('\n')[0]).toMatch(/^USER +PID +%CPU/);
  const renamed = await daemon().cli.run(['top', 'several', '-o', 'pid=PROC']);
  expect(renamed.code).not.toBe(0);
  await docker('rm', '-f', 'several');
  await docker('create', '--name', 'asleep', 'busybox', 'true');
  const asleep = await daemon().cli.run(['top', 'asleep']);
  expect(asleep.stderr).toMatch(/container [0-9a-f]{64} is not running/);
  await docker('rm', 'asleep');
});

test('diff tells what was added, changed and deleted; export has the whole tree', async () => {
  const script = 'echo x >/new; echo y >>/etc/group; rm /bin/wget; mkdir /d; mkdir /proc/x 2>/dev/null; true';
  await docker('run', '--name', 'changed', '-v', '/mounted', 'busybox', 'sh', '-c', script);
  expect((await docker('diff', 'changed')).split('\n').sort()).toEqual([
    'A /d',
    'A /mounted',
    'A /new',
    'C /bin',
    'C /etc',
    'C /etc/group',
    'D /bin/wget',
  ]);
  const file = join(daemon().folder, 'export.tar');
  await docker('export', '-o', file, 'changed');
  const names = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).split('\n');
  expect(names).toEqual(expect.arrayContaining(['new', 'd/', 'etc/group', '.dockerenv']));
  expect(names).not.toContain('bin/wget');
  await docker('rm', '-v', 'changed');
});

test('update changes limits and the restart policy of a running container', async () => {
  await docker('run', '-d', '--name', 'bounded', '-m', '64m', '--memory-swap', '128m', 'busybox', 'sleep', '600');
  const { Pid } = (await inspect('bounded')).State;
  const flags = ['-m', '32m', '--memory-swap', '64m', '--memory-reservation', '16m', '--cpu-shares', '512'];
  const more = ['--cpu-period', '50000', '--cpu-quota', '20000', '--cpuset-cpus', '0', '--cpuset-mems', '0'];
  await docker('update', ...flags, ...more, '--pids-limit', '77', '--restart', 'on-failure:3', 'bounded');
  expect((await inspect('bounded')).HostConfig).toMatchObject({
    Memory: 32 << 20,
    MemorySwap: 64 << 20,
    MemoryReservation: 16 << 20,
    CpuShares: 512,
    CpuPeriod: 50_000,
    CpuQuota: 20_000,
    CpusetCpus: '0',
    CpusetMems: '0',
    PidsLimit: 77,
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
  });
  expect(controlGroup(Pid).memoryLimit()).toBe(32 << 20);
  const stats = (await api().get('/containers/bounded/stats?stream=0&one-shot=1')).json();
  expect(stats.pids_stats.limit).toBe(77);
  const conflicting = await daemon().cli.run(['update', '--cpus', '1', 'bounded']);
  expect(conflicting.stderr).toContain(
    'Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set',
  );
  const small = await daemon().cli.run(['update', '-m', '1m', '--memory-swap', '64m', 'bounded']);
  expect(small.stderr).toContain('Minimum memory limit allowed is 6MB');
  expect(await docker('inspect', '-f', '{{.HostConfig.Memory}}', 'bounded')).toBe(String(32 << 20));
  await docker('rm', '-f', 'bounded');
});

/** What the kernel says about the groups of a process, on either hierarchy. */
function controlGroup(pid: number) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const path = (controller: string) =>
    lines
      .find((line) => line.split(':')[1]!.split(',').includes(controller))
      ?.split(':')
      .slice(2)
      .join(':');
  const v1 = (controller: string, file: string) =>
    Number(readFileSync(`/sys/fs/cgroup/${controller}${path(controller)}/${file}`, 'utf8'));
  const v2 = (file: string) => readFileSync(`/sys/fs/cgroup${path('')}/${file}`, 'utf8');
  const split = path('memory') !== undefined;
  return {
    memory: () => (split ? v1('memory', 'memory.usage_in_bytes') : Number(v2('memory.current'))),
    memoryLimit: () => (split ? v1('memory', 'memory.limit_in_bytes') : Number(v2('memory.max'))),
    cpuNs: () => (split ? v1('cpuacct', 'cpuacct.usage') : Number(/usage_usec (\d+)/.exec(v2('cpu.stat'))![1]) * 1000),
  };
}
