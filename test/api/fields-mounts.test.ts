import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, outputIn, outputOf, startContainer } from '../support/containers';
import { daemonForSuite, testRuntime } from '../support/daemon';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;
const remove = (id: string) => api().delete(`/containers/${id}?force=1&v=1`);
const inspect = async (id: string) => (await api().get(`/containers/${id}/json`)).json();
const run = (script: string, HostConfig: Record<string, unknown>) => outputOf(daemon(), script, { HostConfig });

/** A folder of the host with a file in it and a file system mounted below. */
function folder(name: string): string {
  const path = join(daemon().folder, name);
  mkdirSync(join(path, 'below'), { recursive: true });
  writeFileSync(join(path, 'file'), name);
  return path;
}

test('binds are writable, read-only, with or without what is mounted below', async () => {
  const Source = folder('bind');
  execFileSync('mount', ['-t', 'tmpfs', 'below', join(Source, 'below')]);
  try {
    const write =
      '(touch /m/new) 2>&1 | grep -o "Read-only.*"; (touch /m/below/new) 2>&1 | grep -o "Read-only.*"; ls /m/below';
    const mount = (ReadOnly: boolean, BindOptions = {}) =>
      run(write, { Mounts: [{ Type: 'bind', Source, Target: '/m', ReadOnly, BindOptions, Consistency: 'cached' }] });
    const refused = 'Read-only file system';
    expect(await mount(false)).toBe('new');
    expect(await mount(true)).toBe(`${refused}\n${refused}\nnew`);
    expect(await mount(true, { ReadOnlyForceRecursive: true })).toBe(`${refused}\n${refused}\nnew`);
    expect(await mount(true, { ReadOnlyNonRecursive: true })).toBe(`${refused}\nnew`);
    expect(await mount(false, { NonRecursive: true })).toBe('new');
    // crun mounts what is below in any case.
    if (testRuntime !== 'crun') {
      expect(await mount(true, { NonRecursive: true })).toBe(`${refused}\n${refused}\nnew`);
      const below = (BindOptions: object) =>
        run('grep -c " /m/below " /proc/mounts', { Mounts: [{ Type: 'bind', Source, Target: '/m', BindOptions }] });
      expect(await below({})).toBe('1');
      expect(await below({ NonRecursive: true })).toBe('0');
    }
    // Clients before 1.44 know read-only mounts that end at the next mount.
    const older = await api().post('/v1.43/containers/create', {
      Image: 'busybox',
      Cmd: ['touch', '/m/below/later'],
      HostConfig: { Binds: [`${Source}:/m:ro`] },
    });
    const { Id } = older.json();
    await api().post(`/containers/${Id}/start`);
    expect((await api().post(`/containers/${Id}/wait`)).json().StatusCode).toBe(0);
    await remove(Id);
  } finally {
    execFileSync('umount', [join(Source, 'below')]);
  }
});

test('a mount made on the host later shows where the propagation says so', async () => {
  const Source = folder('propagation');
  execFileSync('mount', ['--bind', Source, Source]);
  execFileSync('mount', ['--make-shared', Source]);
  const start = (Propagation: string) =>
    startContainer(daemon(), {
      HostConfig: { Mounts: [{ Type: 'bind', Source, Target: '/m', BindOptions: { Propagation } }] },
    });
  const [slave, own] = await Promise.all([start('rslave'), start('rprivate')]);
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'later', join(Source, 'below')]);
    writeFileSync(join(Source, 'below/seen'), '');
    expect(await outputIn(daemon(), slave!, 'ls /m/below')).toBe('seen');
    expect(await outputIn(daemon(), own!, 'ls /m/below')).toBe('');
    expect((await inspect(slave!)).Mounts[0]).toMatchObject({ Type: 'bind', Propagation: 'rslave', RW: true });
  } finally {
    await Promise.all([remove(slave!), remove(own!)]);
    execFileSync('umount', [join(Source, 'below')]);
    execFileSync('umount', [Source]);
  }
});

test('propagation is what was asked for, what the data root needs, and never what the host cannot give', async () => {
  const shared = folder('shared');
  const own = folder('private');
  for (const path of [shared, own]) execFileSync('mount', ['--bind', path, path]);
  execFileSync('mount', ['--make-shared', shared]);
  execFileSync('mount', ['--make-private', own]);
  const seenAt = (Source: string, Propagation: string) =>
    run('grep " /m " /proc/self/mountinfo', {
      Mounts: [{ Type: 'bind', Source, Target: '/m', BindOptions: { Propagation } }],
    });
  try {
    for (const mode of ['shared', 'rshared']) expect(await seenAt(shared, mode)).toMatch(/ shared:\d+/);
    for (const mode of ['slave', 'rslave']) expect(await seenAt(shared, mode)).toMatch(/ master:\d+/);
    for (const mode of ['private', 'rprivate', '']) expect(await seenAt(shared, mode)).not.toMatch(/ (shared|master):/);
    await expect(seenAt(own, 'rshared')).rejects.toThrow(
      `path ${own} is mounted on ${own} but it is not a shared mount`,
    );
    await expect(seenAt(own, 'slave')).rejects.toThrow(`${own} but it is not a shared or slave mount`);
  } finally {
    for (const path of [shared, own]) execFileSync('umount', [path]);
  }
  const { dataRoot } = daemon();
  const created = await createContainer(daemon(), { HostConfig: { Binds: [`${dataRoot}:/m:ro`] } });
  expect((await inspect(created)).Mounts[0]).toMatchObject({ Propagation: 'rslave', RW: false });
  await remove(created);
  await expect(createContainer(daemon(), { HostConfig: { Binds: [`${dataRoot}:/m:private`] } })).rejects.toThrow(
    /400 .*must use either propagation mode/,
  );
});

test('the subpath of a volume stays inside of it, whatever links are there, also for docker cp', async () => {
  const script = `mkdir -p /v/in /v/etc; echo inside >/v/in/file; echo own >/v/etc/passwd
    ln -s /proc /v/out; ln -s /etc /v/absolute; ln -s ../../../../etc /v/up; ln -s in/file /v/link`;
  await run(script, { Binds: ['links:/v'] });
  const part = (Subpath: string) => ({
    Mounts: [{ Type: 'volume', Source: 'links', Target: '/s', VolumeOptions: { Subpath } }],
  });
  for (const link of ['absolute', 'up']) expect(await run('cat /s/passwd', part(link))).toBe('own');
  expect(await run('cat /s', part('link'))).toBe('inside');
  await expect(run('true', part('in/file/x'))).rejects.toThrow(/cannot access path .*not a directory/);
  await expect(run('true', part('out'))).rejects.toThrow(/400 .*path concatenation escapes the base directory, base: /);
  const stopped = await createContainer(daemon(), { HostConfig: part('up') });
  const { body } = await api().get(`/containers/${stopped}/archive?path=/s/passwd`);
  expect(body.toString()).toContain('own\n');
  await remove(stopped);
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  expect(mounts.filter((line) => line.includes(daemon().dataRoot) && line.includes('subpath-'))).toEqual([]);
  await api().delete('/volumes/links');
});

test('a bind makes its folder on the host when it is told to', async () => {
  const Source = join(daemon().folder, 'made/by/mount');
  const mount = { Type: 'bind', Source, Target: '/m', BindOptions: { CreateMountpoint: true } };
  await expect(run('true', { Mounts: [{ ...mount, BindOptions: {} }] })).rejects.toThrow(
    /bind source path does not exist/,
  );
  await run('echo hi > /m/file', { Mounts: [mount] });
  expect(readFileSync(join(Source, 'file'), 'utf8')).toBe('hi\n');
});

test('volumes: driver, options, labels, subpath, and whether the image fills them', async () => {
  const VolumeOptions = {
    NoCopy: true,
    Labels: { colour: 'green' },
    DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' } },
  };
  const small = { Type: 'volume', Source: 'small', Target: '/etc', VolumeOptions };
  expect(await run('ls /etc | grep -c passwd; df -k /etc | tail -1', { Mounts: [small] })).toMatch(/^0\ntmpfs\s+1024 /);
  expect((await api().get('/volumes/small')).json()).toMatchObject({
    Driver: 'local',
    Labels: VolumeOptions.Labels,
    Options: VolumeOptions.DriverConfig.Options,
  });
  expect(await run('ls /etc | grep -c passwd', { Mounts: [{ Type: 'volume', Source: 'full', Target: '/etc' }] })).toBe(
    '1',
  );
  await run('mkdir -p /v/a/b; echo deep > /v/a/b/file; mkdir /v/fresh', { Binds: ['deep:/v'], VolumeDriver: 'local' });
  const sub = (Subpath: string) => ({
    Mounts: [{ Type: 'volume', Source: 'deep', Target: '/s', VolumeOptions: { Subpath } }],
  });
  expect(await run('cat /s/file', sub('a/b'))).toBe('deep');
  await expect(run('true', sub('a/missing'))).rejects.toThrow(/404 .*cannot access path/);
  // The image fills an empty part as it fills an empty volume.
  const part = { Type: 'volume', Source: 'deep', Target: '/etc', VolumeOptions: { Subpath: 'fresh' } };
  expect(await run('ls /etc | grep -c passwd', { Mounts: [part] })).toBe('1');
  expect(await run('ls /s | grep -c passwd', sub('fresh'))).toBe('1');
  await expect(run('true', { Binds: ['other:/v'], VolumeDriver: 'unheard-of' })).rejects.toThrow(/unheard-of/);
  for (const name of ['small', 'full', 'deep']) await api().delete(`/volumes/${name}`);
});

test('a tmpfs has the size, mode and options that were asked for', async () => {
  const script = 'grep " /t" /proc/mounts';
  const TmpfsOptions = { SizeBytes: 1024 * 1024, Mode: 0o1770, Options: [['exec']] };
  const mounted = await run(script, { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions }] });
  expect(mounted).toMatch(/size=1024k/);
  expect(mounted).toMatch(/mode=1770/);
  expect(mounted).not.toMatch(/noexec/);
  expect(await run(script, { Tmpfs: { '/t': 'size=64k,mode=700' } })).toMatch(
    /^tmpfs \/t tmpfs rw,nosuid,nodev,noexec.*size=64k,mode=700/,
  );
  const odd = await api().post('/containers/create', {
    Image: 'busybox',
    HostConfig: { Tmpfs: { '/t': 'colour=red' } },
  });
  expect([odd.status, odd.json().message]).toEqual([400, 'Invalid tmpfs option "colour=red" for /t']);
});

test('the files of an image are mounted, whole or in part, and nobody writes there', async () => {
  const image = { Type: 'image', Source: 'busybox', Target: '/other' };
  const id = await startContainer(daemon(), {
    HostConfig: { Mounts: [image, { ...image, Target: '/part', ReadOnly: true, ImageOptions: { Subpath: 'etc' } }] },
  });
  const script = 'ls /other/bin/busybox /part/passwd; touch /other/new 2>&1; touch /part/new 2>&1';
  expect((await outputIn(daemon(), id, script)).split('\n')).toEqual([
    '/other/bin/busybox',
    '/part/passwd',
    expect.stringContaining('Read-only file system'),
    expect.stringContaining('Read-only file system'),
  ]);
  expect((await inspect(id)).Mounts).toContainEqual(
    expect.objectContaining({ Type: 'image', Name: 'busybox', RW: false, Propagation: 'rprivate' }),
  );
  expect((await api().post(`/containers/${id}/restart?t=0`)).status).toBe(204);
  expect(await outputIn(daemon(), id, 'ls /other/bin/busybox')).toBe('/other/bin/busybox');
  await remove(id);
  const missing = { Mounts: [{ ...image, Source: 'not/there:1' }] };
  await expect(createContainer(daemon(), { HostConfig: missing })).rejects.toThrow(/404 .*No such image: not\/there:1/);
});

test('volumes of another container come along, read-only when told', async () => {
  const donor = await createContainer(
    daemon(),
    { Volumes: { '/anon': {} }, HostConfig: { Binds: ['named:/named'] } },
    'has',
  );
  const script = 'touch /named/x && echo named; (touch /anon/x) 2>&1 | grep -o "Read-only.*"';
  expect(await run(script, { VolumesFrom: ['has'] })).toBe('named');
  expect(await run('(touch /named/y) 2>&1 | grep -o "Read-only.*"', { VolumesFrom: ['has:ro'] })).toBe(
    'Read-only file system',
  );
  await expect(run('true', { VolumesFrom: ['nope'] })).rejects.toThrow(/400 .*No such container: nope/);
  await remove(donor);
  await api().delete('/volumes/named');
});
