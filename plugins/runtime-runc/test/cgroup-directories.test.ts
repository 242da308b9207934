import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CgroupDirectories, parseCgroupMounts, relativePathOf } from '../oci/cgroup-directories';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function record(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(root, directory), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, directory, name), content);
}
const content = (path: string) => readFileSync(join(root, path), 'utf8');

/** As Debian 12 mounts the one hierarchy of version 2. */
const unified = () =>
  parseCgroupMounts(
    `24 29 0:22 / /proc rw,nosuid - proc proc rw\n30 24 0:26 / ${root} rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n`,
  );

test('a container of a version 2 hierarchy: its processes with those of groups below, kills for memory, freezing', async () => {
  record('docker/abc', {
    'cgroup.procs': '4242\n4250\n',
    'cgroup.freeze': '0\n',
    'memory.events': 'low 0\nhigh 0\nmax 58\noom 2\noom_kill 2\noom_group_kill 0\n',
  });
  record('docker/abc/inner', { 'cgroup.procs': '4300\n' });
  const group = await CgroupDirectories.of('/docker/abc', unified());
  expect((await group.pids()).sort()).toEqual([4242, 4250, 4300]);
  expect(await group.oomKills()).toBe(2);
  await group.freeze(true);
  expect(content('docker/abc/cgroup.freeze')).toBe('1');
  await group.freeze(false);
  expect(content('docker/abc/cgroup.freeze')).toBe('0');
});

test('a group that is gone, or has no memory controller, is no error', async () => {
  const gone = await CgroupDirectories.of('/docker/gone', unified());
  expect(await gone.pids()).toEqual([]);
  expect(await gone.oomKills()).toBeUndefined();
  await gone.freeze(true);
  expect(await gone.remove()).toBe(true);
});

test('on hybrid machines the controllers of version 1 are asked', async () => {
  record('memory/docker/abc', { 'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n' });
  record('freezer/docker/abc', { 'freezer.state': 'THAWED\n', 'cgroup.procs': '77\n' });
  const mounts = ['memory', 'freezer'].map(
    (name, n) => `3${n} 24 0:2${n} / ${join(root, name)} rw - cgroup cgroup rw,${name}`,
  );
  const hybrid = parseCgroupMounts(
    `${mounts.join('\n')}\n32 24 0:28 / ${join(root, 'unified')} rw - cgroup2 none rw\n`,
  );
  const group = await CgroupDirectories.of('/docker/abc', hybrid);
  expect(await group.pids()).toEqual([77]);
  expect(await group.oomKills()).toBe(1);
  await group.freeze(true);
  expect(content('freezer/docker/abc/freezer.state')).toBe('FROZEN');
});

test('groups that systemd keeps lie in their slices', () => {
  expect(relativePathOf('system.slice:docker:abc')).toBe('/system.slice/docker-abc.scope');
  expect(relativePathOf('a-b.slice:docker:abc')).toBe('/a.slice/a-b.slice/docker-abc.scope');
});
