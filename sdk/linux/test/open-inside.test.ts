import { closeSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { isDirectoryOpen, openInside, tryOpenInside } from '../open-inside';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-inside-'));
  mkdirSync(join(folder, 'root/inside'), { recursive: true });
  mkdirSync(join(folder, 'outside'));
  writeFileSync(join(folder, 'root/inside/file'), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

const root = () => join(folder, 'root');
function inodeOf(path: string): number {
  const descriptor = openInside(root(), path);
  try {
    return statSync(`/proc/self/fd/${descriptor}`).ino;
  } finally {
    closeSync(descriptor);
  }
}

test('links are followed as a chrooted process sees them, and never lead out', () => {
  symlinkSync('/inside', join(root(), 'absolute'));
  symlinkSync('../../../inside', join(root(), 'up'));
  symlinkSync(join(folder, 'outside'), join(root(), 'out'));
  const inside = statSync(join(root(), 'inside')).ino;
  expect([inodeOf('absolute'), inodeOf('up'), inodeOf('../inside')]).toEqual([inside, inside, inside]);
  expect(() => inodeOf('out')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => inodeOf('inside/file/x')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  const file = openInside(root(), 'inside/file');
  expect(isDirectoryOpen(file)).toBe(false);
  closeSync(file);
});

test('a directory that is exchanged for a link all the time never leads out either', async () => {
  const outside = statSync(join(folder, 'outside')).ino;
  symlinkSync(`../../..${folder}/outside`, join(root(), 'link'));
  mkdirSync(join(root(), 'way'));
  // A thread of its own exchanges them, as another container would.
  const worker = new Worker(
    `const { renameSync } = require('node:fs');
     const root = ${JSON.stringify(root())};
     for (const end = Date.now() + 400; Date.now() < end; ) {
       renameSync(root + '/way', root + '/spare'); renameSync(root + '/link', root + '/way');
       renameSync(root + '/way', root + '/link'); renameSync(root + '/spare', root + '/way');
     }`,
    { eval: true },
  );
  let running = true;
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      running = false;
      resolve();
    });
  });
  const seen = new Set<string>();
  while (running) {
    for (let i = 0; i < 500; i++)
      try {
        expect(inodeOf('way')).not.toBe(outside);
        seen.add('directory');
      } catch (error) {
        seen.add(String((error as NodeJS.ErrnoException).code));
      }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  expect(['ENOENT', 'directory']).toEqual(expect.arrayContaining([...seen]));
});

test('without holding up the thread the same is opened, or nothing', async () => {
  symlinkSync('/inside', join(root(), 'absolute'));
  symlinkSync(join(folder, 'outside'), join(root(), 'out'));
  const descriptor = await tryOpenInside(root(), 'absolute/file');
  expect(descriptor).toBeDefined();
  expect(statSync(`/proc/self/fd/${descriptor}`).ino).toBe(statSync(join(root(), 'inside/file')).ino);
  closeSync(descriptor!);
  expect(await tryOpenInside(root(), 'out')).toBeUndefined();
  expect(await tryOpenInside(join(folder, 'nothing'), 'x')).toBeUndefined();
});
