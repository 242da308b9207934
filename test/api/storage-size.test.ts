import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { lacks, makeFileSystem } from '../support/loop-device';
import { testUnless } from '../support/test-unless';

const megabytes = 400;
const run = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });

interface Disk {
  readonly mountPoint: string;
  remove(): void;
}

/** A file system that keeps projects to limits. @throws Error  this machine has none such */
function mountDisk(type: string): Disk {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-size-'));
  const mountPoint = join(folder, 'data');
  try {
    const image = join(folder, 'disk.img');
    makeFileSystem(type, image, megabytes);
    if (type === 'ext4') run('tune2fs', '-O', 'project,quota', '-Q', 'prjquota', image);
    mkdirSync(mountPoint);
    run('mount', '-o', 'loop,prjquota', image, mountPoint);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  const remove = () => {
    run('umount', mountPoint);
    rmSync(folder, { recursive: true });
  };
  return { mountPoint, remove };
}

const reasons = new Map<string, string | undefined>(['xfs', 'ext4'].map((type) => [type, whyNoQuota(type)]));

function whyNoQuota(type: string): string | undefined {
  const missing = lacks(type);
  if (missing !== undefined) return missing;
  try {
    mountDisk(type).remove();
    return undefined;
  } catch (error) {
    const { stderr = String(error) } = error as { stderr?: string };
    return `${type} with prjquota cannot be mounted here: ${stderr.trim().split('\n')[0]}`;
  }
}

for (const [type, driver, daemonOption] of [
  ['xfs', 'overlay2', 'overlay2.size=20m'],
  ['ext4', 'overlay2', 'overlay2.size=20m'],
  ['xfs', 'vfs', 'size=20m'],
] as const) {
  const reason = reasons.get(type);
  describe(`${driver} on ${type}`, () => {
    if (reason !== undefined) {
      testUnless(reason)('containers are kept to sizes', () => {});
      return;
    }
    let disk: Disk;
    const daemon = daemonForSuite({
      config: { 'storage-driver': driver },
      beforeStart(each) {
        disk = mountDisk(type);
        symlinkSync(disk.mountPoint, each.dataRoot);
      },
      tidy: async (each) => {
        if (!each.runs) await each.start();
        await each.removeEverything();
      },
    });
    afterAll(() => disk.remove());

    const docker = (...args: string[]) => daemon().cli.ok(...args);
    const fill = (count: number, name = 'big') =>
      `dd if=/dev/zero of=/${name} bs=1M count=${count} 2>&1; echo code $?; df -k / | tail -n 1 | awk '{print $2}'`;
    const writes = (id: string, count: number) => docker('exec', id, 'sh', '-c', fill(count));
    const create = (name: string, ...options: string[]) =>
      docker('run', '-d', '--network', 'none', '--name', name, ...options, 'busybox', 'sleep', '1000');
    /** Projects of the file system that have a limit. */
    const limited = () =>
      run('xfs_quota', '-f', '-x', '-c', 'report -p -n', disk.mountPoint)
        .split('\n')
        .filter((line) => /^#[1-9]/.test(line) && Number(line.split(/\s+/)[3]) > 0)
        .map((line) => line.split(/\s+/)[0]);

    test('a container is kept to its size, df shows it, and what it commits is free of it', async () => {
      await create('small', '--storage-opt', 'size=10M');
      await create('other', '--storage-opt', 'size=15m');
      await create('free');
      expect(await writes('small', 30)).toMatch(/(No space left on device|Disk quota exceeded)[\s\S]*code 1\n10240$/);
      expect(await writes('other', 12)).toMatch(/code 0\n15360$/);
      expect(await writes('free', 30)).toMatch(/code 0\n(?!10240|15360)\d+$/);
      expect(await docker('inspect', '-f', '{{json .HostConfig.StorageOpt}}', 'small')).toBe('{"size":"10M"}');
      expect(await docker('diff', 'small')).toBe('A /big');
      await docker('commit', 'small', 'from-small');
      expect(await docker('run', '--rm', '--network', 'none', 'from-small', 'sh', '-c', fill(30, 'more'))).toContain(
        'code 0',
      );
      expect(limited()).toHaveLength(2);
      await docker('rm', '-f', 'small', 'other', 'free');
      await eventually('the limits to be lifted', () => limited().length === 0);
      await docker('rmi', 'from-small');
    });

    test('a limit outlives the daemon, is not given twice, and a bad one leaves nothing behind', async () => {
      await create('first', '--storage-opt', 'size=10M');
      const before = limited();
      await daemon().kill();
      await daemon().start();
      await create('second', '--storage-opt', 'size=12M');
      expect(limited()).toHaveLength(2);
      expect(limited()).toEqual(expect.arrayContaining(before));
      expect(await writes('first', 30)).toMatch(/code 1\n10240$/);
      expect(await writes('second', 30)).toMatch(/code 1\n12288$/);
      for (const [option, message] of [
        ['size=much', "invalid size: 'much'"],
        ['depth=1', driver === 'vfs' ? 'Storage opt depth not supported' : 'Unknown option depth'],
      ] as const) {
        const refused = await daemon().cli.run(['create', '--storage-opt', option, 'busybox', 'true']);
        expect(refused.stderr).toContain(`Error response from daemon: ${message}`);
      }
      await docker('rm', '-f', 'first');
      await daemon().kill();
      await daemon().start();
      await docker('rm', '-f', 'second');
      await eventually('the limits to be lifted', () => limited().length === 0);
      expect(await docker('ps', '-aq')).toBe('');
    });

    test('the option of the daemon limits those that say nothing, and no image layer a build makes of one', async () => {
      await daemon().stop();
      daemon().changeConfig({ 'storage-opts': [daemonOption] });
      await daemon().start();
      await create('usual');
      await create('wider', '--storage-opt', 'size=40m');
      expect(await writes('usual', 30)).toMatch(/code 1\n20480$/);
      expect(await writes('wider', 30)).toMatch(/code 0\n40960$/);
      await docker('rm', '-f', 'usual', 'wider');
      // With vfs a container holds its whole image.
      const part = driver === 'vfs' ? 5 : 12;
      const built = await daemon().cli.run(['build', '-q', '-t', 'built', '--network', 'none', '-'], {
        input: [
          'FROM busybox',
          ...['one', 'two'].map((name) => `RUN dd if=/dev/zero of=/${name} bs=1M count=${part}`),
        ].join('\n'),
      });
      expect([built.code, built.code === 0 ? '' : built.stderr]).toEqual([0, '']);
      await eventually('the limits to be lifted', () => limited().length === 0);
      const script = `ls -l /one /two | wc -l; ${fill(driver === 'vfs' ? 1 : 15)}`;
      expect(
        await docker('run', '--rm', '--network', 'none', '--storage-opt', 'size=40m', 'built', 'sh', '-c', script),
      ).toMatch(/^2\n[\s\S]*code 0\n40960$/);
      await docker('rmi', 'built');
    });
  });
}
