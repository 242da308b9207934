import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { attachLoop, lacks, loopsOf, makeFileSystem } from '../support/loop-device';

const undo: (() => void)[] = [];
// Before the daemon goes: devices that it still holds vanish with their last mount.
afterAll(() => {
  for (const each of undo.reverse()) each();
});

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const mountPoint = (name: string) => join(daemon().dataRoot, 'volumes', name, '_data');
const mountsAt = (name: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${mountPoint(name)} `)).length;

interface Volume {
  readonly type: string;
  readonly options: Readonly<Record<string, string>>;
  /** What /proc/mounts says in a container. */
  readonly seen: RegExp;
  /** Whether what is written is there at the next mount. */
  readonly lasting: boolean;
}

/** Loop devices of the file systems that this kernel has; what it lacks is said. */
function volumes(): Map<string, Volume> {
  const { folder } = daemon();
  const found = new Map<string, Volume>();
  const sizes = { ext4: 16, xfs: 320, btrfs: 128 };
  for (const [type, megabytes] of Object.entries(sizes)) {
    const reason = lacks(type);
    if (reason !== undefined) {
      console.warn(`no volume of type ${type} is tried: ${reason}`);
      continue;
    }
    const file = join(folder, `${type}.img`);
    makeFileSystem(type, file, megabytes);
    const { device, detach } = attachLoop(file);
    undo.push(detach);
    const seen = new RegExp(`^${device} /m ${type} rw,(.*,)?noatime`);
    found.set(type, { type, options: { type, device, o: 'noatime' }, seen, lasting: true });
  }
  const file = join(folder, 'own-loop.img');
  makeFileSystem('ext4', file, 16);
  found.set('own-loop', {
    type: 'ext4',
    options: { type: 'ext4', device: file, o: 'loop' },
    seen: /^\/dev\/loop\d+ \/m ext4 rw/,
    lasting: true,
  });
  mkdirSync(join(folder, 'bound'));
  const device = join(folder, 'bound');
  found.set('bound', {
    type: 'none',
    options: { type: 'none', device, o: 'bind' },
    seen: / \/m \w+ rw/,
    lasting: true,
  });
  const memory = { type: 'tmpfs', device: 'tmpfs', o: 'size=2m,mode=1750,uid=12' };
  found.set('memory', { type: 'tmpfs', options: memory, seen: /^tmpfs \/m tmpfs rw,.*size=2048k/, lasting: false });
  return found;
}

test('real file systems are mounted on the first use, kept over the death of the daemon, unmounted on the last', async () => {
  const all = [...volumes()];
  const each = <T>(work: (name: string, volume: Volume) => Promise<T>) =>
    Promise.all(all.map(([name, volume]) => work(name, volume)));
  const run = (name: string, ...command: string[]) => docker('run', '--rm', '-v', `${name}:/m`, 'busybox', ...command);
  await each(async (name, { options }) => {
    const flags = Object.entries(options).flatMap(([key, value]) => ['--opt', `${key}=${value}`]);
    await docker('volume', 'create', ...flags, name);
    expect(JSON.parse(await docker('volume', 'inspect', '-f', '{{json .Options}}', name))).toEqual(options);
    expect(mountsAt(name)).toBe(0);
    await docker('run', '-d', '--name', `first-${name}`, '-v', `${name}:/m`, 'busybox', 'sleep', '600');
    await docker('exec', `first-${name}`, 'sh', '-c', `echo of ${name} >/m/file`);
  });
  await each(async (name, { seen, lasting }) => {
    expect(await run(name, 'sh', '-c', 'grep " /m " /proc/mounts; cat /m/file')).toMatch(seen);
    expect([name, mountsAt(name)]).toEqual([name, 1]);
    if (!lasting) expect(await run(name, 'stat', '-c', '%a %u', '/m')).toBe('1750 12');
  });
  await daemon().kill();
  await daemon().start();
  await each(async (name) => {
    expect(await run(name, 'cat', '/m/file')).toBe(`of ${name}`);
    expect([name, mountsAt(name)]).toEqual([name, 1]);
    const refused = await daemon().cli.run(['volume', 'rm', name]);
    expect(refused.stderr).toContain(`remove ${name}: volume is in use - [`);
    await docker('rm', '-f', `first-${name}`);
    expect([name, mountsAt(name)]).toEqual([name, 0]);
  });
  await each(async (name, { lasting }) => {
    expect(await run(name, 'sh', '-c', 'cat /m/file || true')).toBe(lasting ? `of ${name}` : '');
    await docker('volume', 'rm', name);
  });
  expect(loopsOf(daemon().folder).filter((line) => line.includes('own-loop'))).toEqual([]);
});

test.each([
  ['ext4', '/dev/no-such-disk', '', 'no such file or directory'],
  ['none', '/nowhere/at-all', 'bind', 'no such file or directory'],
  ['tmpfs', 'tmpfs', 'colour=red', 'invalid argument'],
  ['no-such-fs', '/dev/zero', '', 'block device required'],
])(
  'a volume of type %s that cannot be mounted fails the start, says why and leaves nothing',
  async (type, device, o, why) => {
    const options = ['-o', `type=${type}`, '-o', `device=${device}`, ...(o === '' ? [] : ['-o', `o=${o}`])];
    await docker('volume', 'create', ...options, 'broken');
    const { code, stderr } = await daemon().cli.run([
      'run',
      '--name',
      'hapless',
      '-v',
      'broken:/m:nocopy',
      'busybox',
      'true',
    ]);
    // The client's own reading of the message.
    expect(code).toBe(why.startsWith('no such file') ? 127 : 125);
    expect(stderr).toContain(
      `error while mounting volume '${mountPoint('broken')}': failed to mount local volume: mount ${device}:${mountPoint('broken')}`,
    );
    expect(stderr).toContain(`: ${why}`);
    expect(mountsAt('broken')).toBe(0);
    await docker('rm', 'hapless');
    await docker('volume', 'rm', 'broken');
  },
);

/** `type` → the export to mount, such as `GANTRY_TEST_NFS='192.0.2.1:/export,vers=4'`. */
const servers = { nfs: process.env.GANTRY_TEST_NFS, cifs: process.env.GANTRY_TEST_CIFS };

test.each(Object.entries(servers))('%s volumes mount an export by the name of its server', async (type, server) => {
  const options = (device: string, o: string) => ['-o', `type=${type}`, '-o', `device=${device}`, '-o', `o=${o}`];
  const start = () =>
    daemon().cli.run([
      'run',
      '--rm',
      '-v',
      'remote:/m:nocopy',
      'busybox',
      'sh',
      '-c',
      'echo x >/m/gantry; cat /m/gantry',
    ]);
  await docker('volume', 'create', ...options('//host/share', 'addr=no-such-host.invalid,password=secret'), 'remote');
  const { stderr } = await start();
  expect(stderr).toContain('error resolving passed in network volume address: lookup no-such-host.invalid');
  await docker('volume', 'rm', 'remote');
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/).includes(type);
  if (known && server === undefined) {
    console.warn(`no ${type} export is tried: GANTRY_TEST_${type.toUpperCase()} names none`);
    return;
  }
  const [place = '', ...more] = (server ?? '//localhost/share').split(',');
  const [host, path] = place.includes(':') ? [place.split(':')[0], `:${place.split(':')[1]}`] : ['localhost', place];
  await docker(
    'volume',
    'create',
    ...options(path ?? '', [`addr=${host}`, 'password=secret', ...more].join(',')),
    'remote',
  );
  const ran = await start();
  if (known) expect(ran).toMatchObject({ code: 0, stdout: 'x\n' });
  else {
    console.warn(`no ${type} export is mounted: this kernel has no ${type}`);
    expect(ran.stderr).toMatch(/, data: addr=(127\.0\.0\.1|::1),password=\*{8}: no such device/);
    expect(ran.stderr).not.toContain('secret');
  }
  expect(mountsAt('remote')).toBe(0);
  await docker('volume', 'rm', 'remote');
});
