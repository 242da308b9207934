import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const inspect = async (name: string) => (await daemon().api.get(`/containers/${name}/json`)).json();
const inFolder = (name: string, content: string): string => {
  const path = join(daemon().folder, name);
  writeFileSync(path, content);
  return path;
};

/** Flags of `docker run` and `docker create` by the test that shows them: of this file, or `file: title`. */
const shown: Record<string, string> = {
  'flags that a process sees':
    'add-host cap-add cap-drop device dns dns-option dns-search domainname entrypoint env env-file group-add help hostname init mount oom-score-adj read-only rm security-opt shm-size sysctl tmpfs ulimit user volume workdir pids-limit cpus',
  'flags that inspect tells':
    'annotation blkio-weight cgroup-parent cgroupns cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops expose health-cmd health-interval health-retries health-start-interval health-start-period health-timeout ipc label label-file log-driver log-opt memory memory-reservation memory-swap memory-swappiness name oom-kill-disable pid platform publish pull quiet restart runtime stop-signal stop-timeout userns uts volume-driver disable-content-trust',
  'flags of networks': 'ip ip6 link-local-ip mac-address network network-alias link publish-all',
  'flags of the client: ids, streams, signals': 'attach cidfile detach detach-keys interactive sig-proxy tty',
  'the health check of an image can be switched off, and volumes taken from elsewhere': 'no-healthcheck volumes-from',
  'flags that this system cannot serve are refused by name':
    'cpu-count cpu-percent io-maxbandwidth io-maxiops isolation kernel-memory',
  'api/storage-size.test.ts: a container is kept to its size, df shows it, and what it commits is free of it':
    'storage-opt',
  'the socket of the daemon can be lent to a container': 'use-api-socket',
  'api/fields-limits.test.ts: one disk may have a weight of its own, when its scheduler knows weights':
    'blkio-weight-device',
  'api/fields-limits.test.ts: swappiness, the OOM killer and real-time scheduling are set':
    'cpu-rt-period cpu-rt-runtime',
  'api/fields-devices.test.ts: --device with a CDI name and --gpus of the docker client work where CDI describes them':
    'gpus',
  'cli/run.test.ts: capabilities and the system call filter are those of an ordinary container': 'privileged',
};

test('every flag of the client’s help is shown by a test', async () => {
  const flags = new Set<string>();
  for (const command of ['run', 'create'])
    for (const [, flag] of (await docker(command, '--help')).matchAll(/^ {2,6}(?:-\w, )?--([a-z0-9-]+)/gm))
      flags.add(flag!);
  expect(flags.size).toBeGreaterThan(80);
  const known = new Set(Object.values(shown).flatMap((list) => list.split(' ')));
  expect([...flags].filter((flag) => !known.has(flag))).toEqual([]);
  for (const title of Object.keys(shown)) {
    const [file, name] = /^(\S+\.test\.ts): (.+)$/.exec(title)?.slice(1) ?? ['cli/create-flags.test.ts', title];
    const text = readFileSync(join(__dirname, '..', file!), 'utf8');
    expect([title, text.includes(`('${name}'`)]).toEqual([title, true]);
  }
});

test('flags that a process sees', async () => {
  const envFile = inFolder('env', 'FROM_FILE=1\n');
  const script = [
    'hostname; cat /proc/sys/kernel/domainname; id -u; id -G; pwd; echo $COLOUR $FROM_FILE; echo $0',
    'grep -E "CapBnd|NoNewPrivs" /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl',
    'df -k /dev/shm | tail -1; touch /no 2>&1; grep " /t " /proc/mounts; ls -l /dev/hole | cut -c1; cat /m/file /v/file',
    'cat /etc/hosts /etc/resolv.conf; cat /proc/1/comm',
  ].join('; ');
  const open = join(daemon().folder, 'open');
  mkdirSync(open, { mode: 0o755 });
  inFolder('open/file', 'bound\n');
  const said = await docker(
    ...['run', '--rm', '--hostname', 'box', '--domainname', 'example.org', '--user', '1000:50', '--group-add', '77'],
    ...['--workdir', '/tmp', '--env', 'COLOUR=green', '--env-file', envFile, '--entrypoint', 'sh'],
    ...['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN', '--security-opt', 'no-new-privileges', '--oom-score-adj', '300'],
    ...['--ulimit', 'nofile=100:200', '--sysctl', 'net.ipv4.ip_default_ttl=33', '--shm-size', '2m', '--read-only'],
    ...['--tmpfs', '/t:size=64k', '--device', '/dev/null:/dev/hole:r', '--add-host', 'db:10.9.8.7', '--init'],
    ...['--mount', `type=bind,src=${open},dst=/m,ro`, '--volume', `${open}:/v:ro`],
    ...[
      '--dns',
      '192.0.2.53',
      '--dns-option',
      'ndots:3',
      '--dns-search',
      'example.org',
      '--pids-limit',
      '30',
      '--cpus',
      '1',
    ],
    ...['busybox', '-c', script, 'zero'],
  );
  const lines = said.split('\n').map((line) => line.replaceAll('\t', ' '));
  expect(lines.slice(0, 7)).toEqual(['box', 'example.org', '1000', '50 77', '/tmp', 'green 1', 'zero']);
  expect(lines.slice(7, 12)).toEqual(['CapBnd: 0000000000001000', 'NoNewPrivs: 1', '300', '100', '33']);
  expect(lines[12]).toMatch(/^shm +2048 /);
  expect(lines[13]).toMatch(/Read-only file system/);
  expect(lines[14]).toMatch(/^tmpfs \/t tmpfs .*size=64k/);
  expect(lines.slice(15, 18)).toEqual(['c', 'bound', 'bound']);
  for (const line of ['10.9.8.7 db', 'nameserver 192.0.2.53', 'options ndots:3', 'search example.org'])
    expect(lines).toContain(line);
  expect(lines.at(-1)).toMatch(/init|tini/);
});

test('flags that inspect tells', async () => {
  const labels = inFolder('labels', 'from.file=1\n');
  const disk = '/dev/loop0';
  await docker(
    ...['create', '--name', 'told', '--quiet', '--pull', 'never', '--disable-content-trust', '--platform', 'linux'],
    ...[
      '--annotation',
      'a.b=c',
      '--blkio-weight',
      '300',
      '--cgroup-parent',
      `${daemon().cgroupParent}`,
      '--cgroupns',
      'private',
    ],
    ...[
      '--cpu-period',
      '50000',
      '--cpu-quota',
      '25000',
      '--cpu-shares',
      '512',
      '--cpuset-cpus',
      '0',
      '--cpuset-mems',
      '0',
    ],
    ...['--device-cgroup-rule', 'c 1:3 r', '--device-read-bps', `${disk}:1mb`, '--device-write-bps', `${disk}:2mb`],
    ...[
      '--device-read-iops',
      `${disk}:10`,
      '--device-write-iops',
      `${disk}:20`,
      '--expose',
      '99/udp',
      '--publish',
      '127.0.0.1:0:80',
    ],
    ...['--health-cmd', 'true', '--health-interval', '1s', '--health-retries', '2', '--health-start-interval', '3s'],
    ...[
      '--health-start-period',
      '4s',
      '--health-timeout',
      '5s',
      '--ipc',
      'shareable',
      '--label',
      'mine=1',
      '--label-file',
      labels,
    ],
    ...['--log-driver', 'json-file', '--log-opt', 'max-size=1m', '--memory', '64m', '--memory-reservation', '32m'],
    ...[
      '--memory-swap',
      '96m',
      '--memory-swappiness',
      '10',
      '--oom-kill-disable',
      '--pid',
      'host',
      '--restart',
      'on-failure:3',
    ],
    ...['--runtime', 'crun', '--stop-signal', 'SIGUSR1', '--stop-timeout', '3', '--userns', 'host', '--uts', 'host'],
    ...['--volume-driver', 'local', '--volume', 'named:/n', 'busybox', 'true'],
  );
  const { Config, HostConfig } = await inspect('told');
  const second = 1_000_000_000;
  expect(Config).toMatchObject({
    Labels: { mine: '1', 'from.file': '1' },
    ExposedPorts: { '99/udp': {}, '80/tcp': {} },
    StopSignal: 'SIGUSR1',
    StopTimeout: 3,
    Healthcheck: {
      Test: ['CMD-SHELL', 'true'],
      Interval: second,
      Retries: 2,
      StartInterval: 3 * second,
      StartPeriod: 4 * second,
      Timeout: 5 * second,
    },
  });
  expect(HostConfig).toMatchObject({
    Annotations: { 'a.b': 'c' },
    CgroupParent: daemon().cgroupParent,
    CgroupnsMode: 'private',
    CpuPeriod: 50_000,
    CpuQuota: 25_000,
    CpuShares: 512,
    CpusetCpus: '0',
    CpusetMems: '0',
    DeviceCgroupRules: ['c 1:3 r'],
    BlkioDeviceReadBps: [{ Path: disk, Rate: 1 << 20 }],
    BlkioDeviceWriteBps: [{ Path: disk, Rate: 2 << 20 }],
    BlkioDeviceReadIOps: [{ Path: disk, Rate: 10 }],
    BlkioDeviceWriteIOps: [{ Path: disk, Rate: 20 }],
    IpcMode: 'shareable',
    PidMode: 'host',
    UTSMode: 'host',
    UsernsMode: 'host',
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    Memory: 64 << 20,
    MemoryReservation: 32 << 20,
    MemorySwap: 96 << 20,
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    Runtime: 'crun',
    VolumeDriver: 'local',
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] },
  });
  await docker('rm', 'told');
  await docker('volume', 'rm', 'named');
});

test('flags of networks', async () => {
  const { Subnet } = (await daemon().api.get('/networks/bridge')).json().IPAM.Config[0];
  const base = Subnet.replace(/^10\.214/, '10.212').replace(/\.0\/24$/, '');
  await docker('network', 'create', '--ipv6', '--subnet', `${base}.0/24`, '--subnet', 'fd00:6764:6575::/64', 'flags');
  const options = ['--network', 'flags', '--network-alias', 'other', '--ip', `${base}.9`, '--ip6', 'fd00:6764:6575::9'];
  const more = ['--link-local-ip', '169.254.9.9', '--mac-address', '02:42:0a:00:00:99'];
  const said = await docker(
    'run',
    '--rm',
    ...options,
    ...more,
    'busybox',
    'sh',
    '-c',
    'ip addr show eth0; nslookup other | tail -3',
  );
  for (const part of [`${base}.9/24`, 'fd00:6764:6575::9/64', '169.254.9.9/16', '02:42:0a:00:00:99'])
    expect(said).toContain(part);
  await docker('network', 'rm', 'flags');
  await docker('run', '-d', '--name', 'linked', '--expose', '80', '--publish-all', 'busybox', 'sleep', '600');
  expect(await docker('port', 'linked', '80')).toMatch(/:\d+/);
  expect(await docker('run', '--rm', '--link', 'linked:store', 'busybox', 'grep', 'store', '/etc/hosts')).toMatch(
    /store/,
  );
  await docker('rm', '-f', 'linked');
});

test('flags of the client: ids, streams, signals', async () => {
  const cidfile = join(daemon().folder, 'cid');
  const id = await docker('run', '--detach', '--cidfile', cidfile, '--name', 'kept', 'busybox', 'sleep', '600');
  expect(readFileSync(cidfile, 'utf8')).toBe(id);
  await docker('rm', '-f', 'kept');
  const streams = ['run', '--rm', '--attach', 'stderr', 'busybox', 'sh', '-c', 'echo out; echo err >&2'];
  expect(await daemon().cli.run(streams)).toMatchObject({ stdout: '', stderr: 'err\n' });
  expect((await daemon().cli.run(['run', '--rm', '--interactive', 'busybox', 'cat'], { input: 'in' })).stdout).toBe(
    'in',
  );
  const trap = 'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done';
  const proxied = daemon().cli.start(['run', '--rm', '--sig-proxy=true', 'busybox', 'sh', '-c', trap]);
  await proxied.shows(/ready/);
  proxied.child.kill('SIGUSR1');
  expect((await proxied.end()).code).toBe(9);
  const terminal = daemon().cli.startOnTerminal([
    'run',
    '-i',
    '--tty',
    '--detach-keys',
    'ctrl-x,q',
    '--name',
    'left',
    'busybox',
    'sh',
  ]);
  await terminal.shows(/\/ # /);
  terminal.type('\x18q');
  await terminal.end();
  expect((await inspect('left')).State.Running).toBe(true);
  await docker('rm', '-f', 'left');
});

test('the health check of an image can be switched off, and volumes taken from elsewhere', async () => {
  await docker('create', '--name', 'donor', '--volume', '/data', '--no-healthcheck', 'busybox', 'true');
  expect((await inspect('donor')).Config.Healthcheck.Test).toEqual(['NONE']);
  expect(await docker('run', '--rm', '--volumes-from', 'donor', 'busybox', 'ls', '-d', '/data')).toBe('/data');
  await docker('rm', '-v', 'donor');
});

test.each([
  [['--isolation', 'hyperv'], "invalid isolation (hyperv): linux only supports 'default'"],
  [['--storage-opt', 'size=1g'], '--storage-opt is supported only for overlay over xfs'],
  [['--storage-opt', 'depth=1'], 'Unknown option depth'],
  [['--memory', '1m'], 'Minimum memory limit allowed is 6MB'],
  [['--memory', '64m', '--memory-swap', '32m'], 'Minimum memoryswap limit should be larger than memory limit'],
  [['--gpus', 'all'], 'could not select device driver "" with capabilities: [[gpu]]'],
  [['--runtime', 'unheard-of'], 'unknown or invalid runtime name: unheard-of'],
  [['--network', 'container:nope'], 'No such container: nope'],
  [['--pid', 'container:nope'], 'No such container: nope'],
  [['--user', 'nobody-here'], 'unable to find user nobody-here: no matching entries in passwd file'],
  [['--workdir', 'relative'], "the working directory 'relative' is invalid, it needs to be an absolute path"],
  [['--workdir', '/etc/passwd'], 'Cannot mkdir: /etc/passwd is not a directory'],
  [['--tmpfs', '/t:colour=red'], 'Invalid tmpfs option "colour=red"'],
  [['-v', 'vol:/same', '--mount', 'type=tmpfs,dst=/same'], 'Duplicate mount point: /same'],
  [['--security-opt', 'label=colour:x'], 'invalid --security-opt 2: "label=colour:x"'],
  [['--link', 'nope:x'], 'could not get container for nope: No such container: nope'],
  [['--add-host', 'db:nowhere'], 'invalid IP address in add-host'],
])('run %j ends with 125 and says why', async (flags, message) => {
  const result = await daemon().cli.run(['run', '--rm', ...flags, 'busybox', 'true']);
  expect([result.code, result.stderr]).toEqual([125, expect.stringContaining(message)]);
  expect(await docker('ps', '-aq')).toBe('');
});

test('flags that this system cannot serve are refused by name', async () => {
  expect(readFileSync(__filename, 'utf8')).toContain("[['--isolation',");
  // The client looks at the daemon's operating system itself.
  for (const flag of ['--cpu-count', '--cpu-percent', '--io-maxbandwidth', '--io-maxiops']) {
    const result = await daemon().cli.run(['run', '--rm', flag, '1', 'busybox', 'true']);
    expect([result.code, result.stderr]).toEqual([
      1,
      expect.stringContaining(`"${flag}" is only supported on a Docker daemon running on windows`),
    ]);
  }
  // Newer clients do not send it any more.
  expect((await daemon().cli.run(['run', '--rm', '--kernel-memory', '64m', 'busybox', 'true'])).code).toBe(0);
  // A missing file is 127 to the client, whatever it was for.
  const device = await daemon().cli.run(['run', '--rm', '--device', '/dev/nope', 'busybox', 'true']);
  expect([device.code, device.stderr]).toEqual([
    127,
    expect.stringContaining('error gathering device information while adding custom device "/dev/nope"'),
  ]);
});

test('the socket of the daemon can be lent to a container', async () => {
  const path = await docker(
    'run',
    '--rm',
    '--use-api-socket',
    'busybox',
    'sh',
    '-c',
    'test -S /var/run/docker.sock && echo there',
  );
  expect(path).toBe('there');
  expect(statSync(daemon().socketPath).isSocket()).toBe(true);
});
