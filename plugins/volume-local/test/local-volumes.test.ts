import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@gantry/sdk';
import { openLocalVolumes } from '../local-volumes';
import { mountPoints } from '../mount-table';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
let folder: string;
const open = () => openLocalVolumes({ root: join(folder, 'volumes'), runDir: join(folder, 'run'), log });
const mounted = async (path: string) => (await mountPoints()).has(path);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-local-'));
});
afterEach(async () => {
  expect([...(await mountPoints())].filter((point) => point.startsWith(folder))).toEqual([]);
  await rm(folder, { recursive: true });
});

test('data lives at <root>/<name>/_data, open to every user of a container', async () => {
  const driver = await open();
  await driver.create('data', {});
  const path = await driver.mount('data', '1'.repeat(64));
  expect(path).toBe(join(folder, 'volumes', 'data', '_data'));
  expect((await stat(path)).mode & 0o777).toBe(0o755);
});

test('volumes are found again after a restart, and half-made ones are collected', async () => {
  await (await open()).create('data', {});
  await mkdir(join(folder, 'volumes', '.new-abc', '_data'), { recursive: true });
  await mkdir(join(folder, 'volumes', 'no-data-here'));
  const driver = await open();
  expect((await driver.list()).map((volume) => volume.name)).toEqual(['data']);
  for (let i = 0; i < 100 && (await readdir(join(folder, 'volumes'))).includes('.new-abc'); i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await readdir(join(folder, 'volumes'))).toEqual(['data', 'no-data-here']);
});

test.each([
  ['a/b', /"a\/b" includes invalid characters for a local volume name, only/],
  ['../up', /includes invalid characters/],
  ['.records', /includes invalid characters/],
  ['a', /volume name is too short/],
])('the name %s is refused', async (name, message) => {
  await expect((await open()).create(name, {})).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message: expect.stringMatching(message),
  });
});

test.each([
  [{ colour: 'red' }, 'invalid option: "colour"'],
  [{ type: 'nfs' }, 'missing required option: "device"'],
  [{ device: '/dev/null' }, 'missing required option: "type"'],
  [{ o: 'bind' }, 'missing required option: "device"'],
  [{ size: 'much' }, "invalid size: 'much'"],
  [{ size: '1G' }, 'quota size requested but no quota support'],
])('the options %j are refused and nothing is made', async (options, message) => {
  const driver = await open();
  await expect(driver.create('data', options as unknown as Record<string, string>)).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message,
  });
  expect(await readdir(join(folder, 'volumes'))).toEqual([]);
});

test('a tmpfs volume is mounted on the first use and unmounted on the last', async () => {
  const driver = await open();
  await driver.create('scratch', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=700' });
  const path = await driver.path('scratch');
  expect(await mounted(path)).toBe(false);
  await driver.mount('scratch', 'a');
  await driver.mount('scratch', 'b');
  expect(await mounted(path)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  await driver.unmount('scratch', 'a');
  expect(await mounted(path)).toBe(true);
  await driver.unmount('scratch', 'b');
  expect(await mounted(path)).toBe(false);
});

test('a mount survives a restart of the daemon and ends with its last user', async () => {
  const before = await open();
  await before.create('scratch', { type: 'tmpfs', device: 'tmpfs' });
  const path = await before.mount('scratch', 'a');
  await writeFile(join(path, 'file'), 'x');
  const after = await open();
  await after.mount('scratch', 'b');
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('x');
  await after.unmount('scratch', 'b');
  expect(await mounted(path)).toBe(true);
  await expect(after.remove('scratch')).rejects.toMatchObject({ kind: 'conflict' });
  await after.unmount('scratch', 'a');
  expect(await mounted(path)).toBe(false);
});

test('what a kill left half-written beside the mount ids is gone after the next start', async () => {
  await open();
  await writeFile(join(folder, 'run/held/data.ids.tmp-1-2'), 'x');
  await open();
  expect(await readdir(join(folder, 'run/held'))).toEqual([]);
});

test('a read-only bind volume shows the device directory', async () => {
  const source = join(folder, 'source');
  await mkdir(source);
  await writeFile(join(source, 'file'), 'bound');
  const driver = await open();
  await driver.create('bound', { type: 'none', device: source, o: 'bind,ro' });
  const path = await driver.mount('bound', 'a');
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('bound');
  await expect(writeFile(join(path, 'other'), '')).rejects.toMatchObject({ code: 'EROFS' });
  await driver.unmount('bound', 'a');
  await driver.remove('bound');
  expect(await readFile(join(source, 'file'), 'utf8')).toBe('bound');
});

test('a mount that fails says what was tried and holds nothing', async () => {
  const driver = await open();
  await driver.create('broken', { type: 'none', device: join(folder, 'absent'), o: 'bind' });
  await expect(driver.mount('broken', 'a')).rejects.toThrow(
    `failed to mount local volume: mount ${join(folder, 'absent')}:${join(folder, 'volumes/broken/_data')}, flags: 0x1000: no such file or directory`,
  );
  await driver.remove('broken');
});

test('removal never follows a link out of the volume root', async () => {
  const driver = await open();
  await driver.create('data', {});
  const outside = join(folder, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'precious'), 'x');
  await rm(join(folder, 'volumes', 'data', '_data'), { recursive: true });
  await symlink(outside, join(folder, 'volumes', 'data', '_data'));
  await expect(driver.remove('data')).rejects.toThrow('unable to remove a directory outside of the local volume root');
  expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('x');
});
