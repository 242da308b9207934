import { readFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { temporaryDirectory } from '@gantry/sdk/testing';
import { lookAtCgroups } from '../cgroups';
import { lookAtFirewall } from '../firewall';
import { lookAtKernel } from '../kernel';
import type { Machine } from '../machine';
import { lookAtPermissions } from '../permissions';
import { lookAtPrograms, programs } from '../programs';
import { lookAtSockets } from '../sockets';
import { lookAtStorage } from '../storage';

interface Invented {
  readonly uid?: number;
  readonly kernel?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly programs?: readonly string[];
  readonly answers?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
}

const machine = ({
  uid = 0,
  kernel = '6.1.0',
  files = {},
  programs = [],
  answers = {},
  options = {},
}: Invented): Machine => ({
  uid,
  kernel,
  read: async (path) => files[path],
  exists: async (path) => Object.keys(files).some((file) => file === path || file.startsWith(`${path}/`)),
  find: (program) => (programs.includes(program) ? `/usr/bin/${program}` : undefined),
  run: async (program, ...args) => answers[[program, ...args].join(' ')],
  kernelOption: async (name) => options[name],
  tellsKernelOptions: async () => Object.keys(options).length > 0,
});

const look = (looks: readonly { name: string }[], name: string) => looks.find((it) => it.name === name);

test('an old kernel is missing, with the one that is needed', async () => {
  expect(look(await lookAtKernel(machine({ kernel: '4.19.0-27-amd64' })), 'version')).toMatchObject({
    state: 'missing',
    advice: expect.stringContaining('5.10'),
  });
  expect(look(await lookAtKernel(machine({ kernel: '5.10.0' })), 'version')).toMatchObject({ state: 'ok' });
});

test('a facility is found built in, as a module, or missing with its cure', async () => {
  const bare = await lookAtKernel(machine({ options: { CONFIG_SMP: 'y' } }));
  expect(look(bare, 'overlayfs')).toMatchObject({
    state: 'missing',
    advice: expect.stringContaining('modprobe overlay'),
  });
  expect(look(bare, 'macvlan')).toMatchObject({ state: 'warn' });
  expect(look(await lookAtKernel(machine({})), 'overlayfs')).toMatchObject({ state: 'warn' });
  const looks = await lookAtKernel(
    machine({
      options: { CONFIG_BRIDGE: 'y', CONFIG_VETH: 'm' },
      answers: { 'modprobe --dry-run --quiet overlay': '' },
      files: { '/sys/module/nf_tables/refcnt': '1' },
    }),
  );
  for (const name of ['overlayfs', 'bridge', 'nf_tables']) expect(look(looks, name)).toMatchObject({ state: 'ok' });
  expect(look(looks, 'veth')).toMatchObject({ state: 'warn', advice: expect.stringContaining('modprobe veth') });
});

test('control groups of version 2 are judged by what the root group offers', async () => {
  const looks = await lookAtCgroups(
    machine({ files: { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io pids\n' } }),
  );
  expect(look(looks, 'version')).toMatchObject({ found: '2' });
  expect(look(looks, 'controller memory')).toMatchObject({
    state: 'warn',
    advice: expect.stringContaining('cgroup_enable=memory'),
  });
  expect(look(looks, 'controller devices')).toBeUndefined();
});

test('control groups that are not mounted, or read-only, are missing', async () => {
  expect(await lookAtCgroups(machine({}))).toMatchObject([{ name: 'version', state: 'missing' }]);
  const mounts = 'cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0\n';
  const files = { '/proc/mounts': mounts, '/sys/fs/cgroup/cgroup.controllers': 'cpu' };
  expect(look(await lookAtCgroups(machine({ files })), 'writable')).toMatchObject({ state: 'missing' });
});

test('programs are named with version or package', async () => {
  const looks = await lookAtPrograms(
    machine({
      programs: ['runc', 'tini'],
      answers: { '/usr/bin/runc --version': 'runc version 1.1.5+ds1\ncommit: x' },
    }),
  );
  expect(look(looks, 'runc')).toMatchObject({ state: 'ok', found: '1.1.5+ds1 (/usr/bin/runc)' });
  expect(look(looks, 'docker-init')).toMatchObject({ state: 'ok' });
  expect(look(looks, 'nft')).toMatchObject({
    state: 'missing',
    advice: expect.stringContaining('apt-get install nftables'),
  });
  expect(look(looks, 'crun')).toMatchObject({ state: 'warn' });
  const [old] = await lookAtPrograms(machine({ programs: ['iptables'] })).then((all) =>
    all.filter(({ name }) => name === 'nft'),
  );
  expect(old).toMatchObject({ state: 'ok', found: expect.stringContaining('/usr/bin/iptables') });
});

test('every program that the set-up installs for running is looked for', () => {
  const setup = readFileSync(resolve(__dirname, '../../setup/system-packages.mjs'), 'utf8');
  const table = /const programs = \[(.*?)\n\];/s.exec(setup)![1]!;
  const entries = table.split(/\n {2}\{/).slice(1);
  const wanted = entries
    .filter((entry) => !entry.includes("needed: 'test'"))
    .map((entry) => /command: '([^']+)'/.exec(entry)![1]!)
    .filter((command) => command !== 'busybox');
  const known = programs.flatMap(({ names }) => names);
  expect(wanted.length).toBeGreaterThan(5);
  expect(wanted.filter((command) => !known.includes(command))).toEqual([]);
});

test('without root or without its capabilities the daemon cannot run', async () => {
  expect(look(await lookAtPermissions(machine({ uid: 1000 })), 'root')).toMatchObject({ state: 'missing' });
  const files = { '/proc/self/status': 'CapEff:\t00000000a80425fb\n' };
  expect(look(await lookAtPermissions(machine({ files })), 'capabilities')).toMatchObject({
    state: 'missing',
    found: expect.stringContaining('CAP_SYS_ADMIN'),
  });
});

test('a chain of somebody else that drops forwarded packets is named with the way to open it', async () => {
  const chain = { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' };
  const looks = await lookAtFirewall(
    machine({ answers: { 'nft --json list chains': JSON.stringify({ nftables: [{ metainfo: {} }, { chain }] }) } }),
  );
  expect(look(looks, 'packet filter')).toMatchObject({
    state: 'warn',
    advice: expect.stringContaining("nft 'chain ip filter FORWARD { policy accept; }'"),
  });
});

test('the data root of dockerd and a read-only one are missing', async () => {
  const places = { dataRoot: tmpdir(), execRoot: '/run/x', foreignMark: 'network/files/local-kv.db' };
  expect(look(await lookAtStorage(machine({}), places), 'data root')).toMatchObject({
    state: 'missing',
    found: expect.stringContaining('dockerd'),
  });
  const files = { '/proc/mounts': `/dev/a / ext4 rw 0 0\n/dev/b ${tmpdir()} ext4 ro,noatime 0 0\n` };
  const looks = await lookAtStorage(machine({ files }), { ...places, foreignMark: undefined });
  expect(look(looks, 'writable')).toMatchObject({ state: 'missing' });
});

test('a socket somebody serves is told apart from a free one and from our own', async () => {
  const folder = await temporaryDirectory();
  const path = join(folder.path, 'api.sock');
  const server = net.createServer((socket) => socket.destroy()).listen(path);
  try {
    const free = { kind: 'unix', path: join(folder.path, 'free.sock') } as const;
    const served = { kind: 'unix', path } as const;
    expect(await lookAtSockets([free, served], undefined)).toMatchObject([{ state: 'ok' }, { state: 'missing' }]);
    expect(await lookAtSockets([served], 7)).toMatchObject([{ state: 'ok', found: expect.stringContaining('PID 7') }]);
  } finally {
    server.close();
    await folder.close();
  }
});
