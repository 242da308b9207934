import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCountingRegistry } from '../support/counting-registry';
import { daemonForSuite } from '../support/daemon';
import { busyboxImage, digestOf, dockerArchive } from '../support/images';

/** The data root is a small file system of its own. */
const megabytes = 96;
jest.setTimeout(120_000);

let folder = '';
let mountPoint = '';
const daemon = daemonForSuite({
  busybox: false,
  beforeStart(each) {
    folder = mkdtempSync(join(tmpdir(), 'gantry-small-disk-'));
    const disk = join(folder, 'disk.img');
    execFileSync('truncate', ['-s', `${megabytes}M`, disk]);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', disk]);
    mountPoint = join(folder, 'data');
    mkdirSync(mountPoint);
    execFileSync('mount', ['-o', 'loop', disk, mountPoint]);
    symlinkSync(mountPoint, each.dataRoot);
  },
  tidy: (each) => each.removeEverything(),
});
afterAll(() => {
  if (mountPoint !== '') execFileSync('umount', [mountPoint]);
  if (folder !== '') rmSync(folder, { recursive: true });
});

const docker = (...args: string[]) => daemon().cli.ok(...args);
const layer = (name: string, size: number) => [{ name, data: randomBytes(size << 20) }];
const fill = (size: number) => writeFileSync(join(mountPoint, 'filler'), Buffer.alloc(size << 20, 1));
const freeMegabytes = () =>
  Number(
    execFileSync('df', ['--output=avail', '-BM', mountPoint], { encoding: 'utf8' }).split('\n')[1]!.replace('M', ''),
  );

test('a disk that is full in the middle of a layer fails the pull by name, and the next one goes on from there', async () => {
  const registry = await startCountingRegistry(200_000_000);
  try {
    const image = busyboxImage({ layers: [layer('small', 4), layer('large', 20)] });
    const digests = registry.put('team/app', 'v1', image);
    const before = freeMegabytes();
    fill(before - 36);
    const name = `${registry.host}/team/app:v1`;
    const failed = await daemon().cli.run(['pull', name]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain(name);
    expect(failed.stderr).toMatch(/no space left on device/i);
    expect(await docker('images', '-aq')).toBe('');
    const large = digests.at(-1)!;
    registry.takeSent();
    rmSync(join(mountPoint, 'filler'));
    await docker('pull', name);
    const sent = registry.takeSent();
    expect([...sent.keys()].filter((digest) => digest !== large && digests.includes(digest))).toEqual([]);
    expect(sent.get(large) ?? 0).toBeLessThan(20 << 20);
    expect(await docker('images', '-q', '--no-trunc')).toBe(digestOf(image.config));
    await docker('rmi', name);
    expect(freeMegabytes()).toBeGreaterThan(before - 8);
  } finally {
    rmSync(join(mountPoint, 'filler'), { force: true });
    await registry.close();
  }
});

test('a disk that is full while an archive is loaded leaves nothing of it', async () => {
  const before = freeMegabytes();
  const image = busyboxImage({ reference: 'loaded:v1', layers: [layer('large', 20)] });
  const archive = join(daemon().folder, 'loaded.tar');
  writeFileSync(archive, dockerArchive(image));
  try {
    // The archive itself fits, the unpacked layer does not; then not even the archive.
    for (const space of [34, 10]) {
      fill(before - space);
      const failed = await daemon().cli.run(['load', '-i', archive]);
      expect([space, failed.code]).toEqual([space, 1]);
      expect(failed.stderr).toMatch(/no space left on device/i);
      expect(await docker('images', '-aq')).toBe('');
    }
  } finally {
    rmSync(join(mountPoint, 'filler'));
  }
  expect(freeMegabytes()).toBeGreaterThan(before - 8);
  await docker('load', '-i', archive);
  expect(await docker('run', '--rm', 'loaded:v1', 'stat', '-c', '%s', '/large')).toBe(String(20 << 20));
  await docker('rmi', 'loaded:v1');
});
