import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, outputIn, outputOf, startContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;
const inspect = async (id: string) => (await api().get(`/containers/${id}/json`)).json();
const remove = (id: string) => api().delete(`/containers/${id}?force=1&v=1`);
const SECOND = 1_000_000_000;

test('a process finds the names, user, folder and environment that were asked for', async () => {
  const script = 'hostname; cat /proc/sys/kernel/domainname; id -u; id -g; id -G; echo $COLOUR $GONE; pwd; echo $0 $1';
  const said = await outputOf(daemon(), '', {
    Hostname: 'box',
    Domainname: 'example.org',
    User: '1000:50',
    WorkingDir: '/made/for/it',
    Env: ['COLOUR=green', 'GONE'],
    Entrypoint: ['sh', '-c', script],
    Cmd: ['zero', 'one'],
    HostConfig: { GroupAdd: ['nobody', '77'] },
  });
  expect(said.split('\n')).toEqual([
    'box',
    'example.org',
    '1000',
    '50',
    '50 77 65534',
    'green',
    '/made/for/it',
    'zero one',
  ]);
});

test('what only describes is kept for inspect and commit', async () => {
  const kept = {
    OnBuild: ['RUN true'],
    Shell: ['/bin/sh', '-ec'],
    ArgsEscaped: true,
    Labels: { colour: 'green' },
    AttachStdin: true,
    AttachStdout: false,
    AttachStderr: true,
    ExposedPorts: { '80/tcp': {} },
  };
  const id = await createContainer(daemon(), { ...kept, HostConfig: { ContainerIDFile: '/tmp/cid' } });
  const { Config, HostConfig } = await inspect(id);
  expect(Config).toMatchObject(kept);
  expect(HostConfig.ContainerIDFile).toBe('/tmp/cid');
  await remove(id);
});

test('a terminal starts with the size that was asked for', async () => {
  expect(await outputOf(daemon(), 'stty size', { Tty: true, HostConfig: { ConsoleSize: [31, 97] } })).toBe('31 97');
});

test('a container without network has the loopback only', async () => {
  expect(await outputOf(daemon(), 'ls /sys/class/net', { NetworkDisabled: true })).toBe('lo');
});

test('stop sends the signal and waits the time of the container', async () => {
  const Cmd = ['sh', '-c', 'trap "exit 7" USR1; echo ready; while :; do sleep 0.1; done'];
  const listens = await startContainer(daemon(), { Cmd, StopSignal: 'SIGUSR1' });
  await eventually('the trap', async () =>
    (await api().get(`/containers/${listens}/logs?stdout=1`)).text.includes('ready'),
  );
  await api().post(`/containers/${listens}/stop`);
  expect((await inspect(listens)).State.ExitCode).toBe(7);
  const deaf = await startContainer(daemon(), { StopTimeout: 1 });
  const before = Date.now();
  await api().post(`/containers/${deaf}/stop`);
  expect(Date.now() - before).toBeLessThan(9000);
  expect((await inspect(deaf)).State.ExitCode).toBe(137);
  await Promise.all([remove(listens), remove(deaf)]);
});

test('health checks keep their intervals, start period and retries', async () => {
  const start = (Healthcheck: object) => startContainer(daemon(), { Healthcheck });
  const often = { Interval: 0.1 * SECOND, Timeout: 5 * SECOND };
  const [bad, starting, slow] = await Promise.all([
    start({ ...often, Test: ['CMD-SHELL', 'exit 3'], Retries: 2 }),
    // Asked once a minute it would stay "starting"; while it starts it is asked ten times a second.
    start({
      Test: ['CMD', 'test', '-e', '/ready'],
      Interval: 60 * SECOND,
      StartPeriod: 60 * SECOND,
      StartInterval: 0.1 * SECOND,
    }),
    start({ ...often, Test: ['CMD', 'sh', '-c', 'echo so far; sleep 60'], Timeout: 0.5 * SECOND, Retries: 1 }),
  ]);
  const health = async (id: string) => (await inspect(id)).State.Health;
  await eventually('the failing one', async () => (await health(bad)).Status === 'unhealthy');
  expect((await health(bad)).FailingStreak).toBeGreaterThanOrEqual(2);
  expect((await health(starting)).Status).toBe('starting');
  await outputIn(daemon(), starting, 'touch /ready');
  await eventually('the one that starts', async () => (await health(starting)).Status === 'healthy');
  await eventually('the slow one', async () => (await health(slow)).Status === 'unhealthy');
  expect((await health(slow)).Log[0].Output).toBe('Health check exceeded timeout (500ms): so far\n');
  await Promise.all([bad, starting, slow].map(remove));
});

test('a restart policy counts, and a container that removes itself is gone', async () => {
  const Cmd = ['false'];
  const id = await startContainer(daemon(), {
    Cmd,
    HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
  });
  await eventually('the third end', async () => {
    const { State, RestartCount } = await inspect(id);
    return RestartCount === 2 && State.Status === 'exited';
  });
  await remove(id);
  const short = await startContainer(daemon(), { Cmd: ['true'], HostConfig: { AutoRemove: true } });
  await eventually('its removal', async () => (await api().get(`/containers/${short}/json`)).status === 404);
});

test('capabilities are added and dropped', async () => {
  const said = await outputOf(daemon(), 'grep CapEff /proc/self/status', {
    HostConfig: { CapAdd: ['NET_ADMIN'], CapDrop: ['CAP_CHOWN', 'mknod'] },
  });
  const ordinary = 0xa80425fbn;
  const wanted = (ordinary | (1n << 12n)) & ~(1n << 0n) & ~(1n << 27n);
  expect(said).toBe(`CapEff:\t${wanted.toString(16).padStart(16, '0')}`);
});

test('security options: no new privileges, filters, open system paths', async () => {
  const status = 'grep -E "NoNewPrivs|Seccomp:" /proc/self/status | tr -d "\\n"';
  const run = (...SecurityOpt: string[]) =>
    outputOf(daemon(), `${status}; mkdir /x 2>&1; echo`, { HostConfig: { SecurityOpt } });
  expect(await run('no-new-privileges')).toBe('NoNewPrivs:\t1Seccomp:\t2');
  expect(await run('seccomp=unconfined', 'no-new-privileges:false', 'label=disable', 'apparmor=unconfined')).toBe(
    'NoNewPrivs:\t0Seccomp:\t0',
  );
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
  };
  expect(await run(`seccomp=${JSON.stringify(profile)}`)).toMatch(/mkdir: can't create directory '\/x'/);
  const writable = 'test -w /proc/sys/kernel && mount | grep -c " /proc/kcore "';
  const open = { HostConfig: { SecurityOpt: ['systempaths=unconfined'] } };
  expect(await outputOf(daemon(), writable, open)).toBe('0');
});

test('paths are masked and read-only as asked', async () => {
  const script = 'cat /proc/uptime | wc -c; (echo x > /proc/sys/kernel/hostname) 2>&1; cat /proc/interrupts | wc -c';
  const said = await outputOf(daemon(), script, {
    HostConfig: { MaskedPaths: ['/proc/uptime'], ReadonlyPaths: ['/proc/sys'] },
  });
  const [masked, write, open] = said.split('\n');
  expect(masked).toBe('0');
  expect(write).toMatch(/Read-only file system/);
  expect(Number(open)).toBeGreaterThan(0);
});

test('sysctls, ulimits, the OOM score and shared memory are those asked for', async () => {
  const script =
    'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_default_ttl /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1';
  const said = await outputOf(daemon(), script, {
    HostConfig: {
      Sysctls: { 'kernel.msgmax': '9000', 'net.ipv4.ip_default_ttl': '33' },
      Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
      OomScoreAdj: 300,
      ShmSize: 2 * 1024 * 1024,
    },
  });
  const lines = said.split('\n');
  expect(lines.slice(0, 5)).toEqual(['9000', '33', '300', '100', '200']);
  expect(lines[5]).toMatch(/^shm\s+2048\s/);
});

test('annotations reach the OCI runtime', async () => {
  const id = await startContainer(daemon(), { HostConfig: { Annotations: { 'org.example.colour': 'green' } } });
  expect(bundleSpec(id).annotations).toEqual({ 'org.example.colour': 'green' });
  await remove(id);
});

test('the log driver and its options are the container’s own', async () => {
  const LogConfig = { Type: 'json-file', Config: { 'max-size': '1k', 'max-file': '2', labels: 'colour' } };
  const body = { Cmd: ['sh', '-c', 'seq 1 200'], Labels: { colour: 'green' }, HostConfig: { LogConfig } };
  const id = await startContainer(daemon(), body);
  await api().post(`/containers/${id}/wait`);
  const { LogPath, HostConfig } = await inspect(id);
  expect(HostConfig.LogConfig).toEqual(LogConfig);
  expect(existsSync(`${LogPath}.1`)).toBe(true);
  expect(readFileSync(LogPath, 'utf8')).toContain('"colour":"green"');
  await remove(id);
});

/** The configuration the OCI runtime was given. */
function bundleSpec(id: string): { annotations: Record<string, string> } {
  const found = (readdirSync(daemon().execRoot, { recursive: true }) as string[]).find((path) =>
    path.endsWith(`${id}/config.json`),
  );
  return JSON.parse(readFileSync(join(daemon().execRoot, found ?? 'not found'), 'utf8'));
}
