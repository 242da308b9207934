import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareTrees } from '../vfs/compare-trees';
import { copyTree } from '../vfs/copy-tree';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-vfs-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const never = () => false;
const shell = (script: string) => execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' });
const path = (name: string) => join(folder, name);
const copy = () => copyTree({ stack: [path('upper'), path('lower')], target: path('tree') }, never);
const compare = (difference?: string) =>
  compareTrees({ tree: path('tree'), stack: [path('upper'), path('lower')], difference }, never);

function makeLayers(): void {
  shell(`
    mkdir -p lower/etc lower/gone lower/hidden/deep upper/etc upper/hidden
    echo old > lower/etc/file; echo x > lower/etc/dropped; echo x > lower/gone/inside; echo x > lower/hidden/deep/x
    echo new > upper/etc/file; chmod 4755 upper/etc/file; chown 12:34 upper/etc/file
    mknod upper/etc/dropped c 0 0; mknod upper/gone c 0 0
    ln upper/etc/file upper/etc/twin; ln -s ../etc/file upper/etc/link
    mknod upper/null c 1 3; mknod upper/block b 7 200; mkfifo upper/pipe
    truncate -s 50M upper/sparse; printf end | dd of=upper/sparse bs=1 seek=30M conv=notrunc status=none
    touch -h -d 2001-02-03T04:05:06.123456789Z upper/etc/file upper/etc/link
  `);
  execFileSync('python3', [
    '-c',
    `import os
os.setxattr('${path('upper/hidden')}', 'trusted.overlay.opaque', b'y')
os.setxattr('${path('upper/etc/file')}', 'user.note', b'\\x00\\xff')
os.setxattr('${path('upper/etc/file')}', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
open(b'${path('upper')}/caf\\xe9', 'w').close()
os.utime('${path('upper/etc')}', (1, 1))`,
  ]);
}

test('a copy shows what the stack shows, with everything a file can have', () => {
  makeLayers();
  copy();
  const listing = (root: string, names: string) =>
    shell(`cd ${root}; for f in ${names}; do stat -c '%n %F %a %u %g %s %t %T %y %h' "$f"; done`);
  expect(shell('cd tree && LC_ALL=C find . | LC_ALL=C sort -b').split('\n')).toHaveLength(12);
  for (const name of ['etc/dropped', 'gone', 'hidden/deep']) expect(fs.existsSync(path(`tree/${name}`))).toBe(false);
  const names = 'etc/file etc/twin etc/link null block pipe sparse hidden';
  expect(listing('tree', names)).toBe(listing('upper', names));
  expect(fs.statSync(path('tree/etc')).mtimeMs).toBe(1000);
  expect(fs.statSync(path('tree/etc/file')).ino).toBe(fs.statSync(path('tree/etc/twin')).ino);
  expect(fs.statSync(path('tree/sparse')).blocks).toBeLessThan(1000);
  expect(fs.readFileSync(path('tree/sparse')).equals(fs.readFileSync(path('upper/sparse')))).toBe(true);
  expect(fs.readdirSync(path('tree'), 'latin1')).toContain('caf\xe9');
  const attributes = `import os; p='${path('tree/etc/file')}'; print({n: os.getxattr(p, n).hex() for n in sorted(os.listxattr(p))}, os.listxattr('${path('tree/hidden')}'))`;
  expect(execFileSync('python3', ['-c', attributes], { encoding: 'utf8' }).trim()).toBe(
    "{'security.capability': '0100000200040000000000000000000000000000', 'user.note': '00ff'} []",
  );
  expect(compare()).toEqual({ changes: [], bytes: 0 });
});

test('what was changed in a copy becomes a layer that gives the same files again', () => {
  makeLayers();
  copy();
  shell(`
    cd tree; echo more >> etc/file; rm null; rm -r hidden; echo flat > hidden; mkdir -p new/dir; ln etc/link new/same
    rm block; mkdir block; touch block/inside; chmod 1777 .
  `);
  const { changes, bytes } = compare(path('difference'));
  expect(changes).toEqual([
    { path: '/block', kind: 0 },
    { path: '/block/inside', kind: 1 },
    { path: '/etc', kind: 0 },
    { path: '/etc/file', kind: 0 },
    { path: '/etc/twin', kind: 0 },
    { path: '/hidden', kind: 0 },
    { path: '/new', kind: 1 },
    { path: '/new/dir', kind: 1 },
    { path: '/new/same', kind: 1 },
    { path: '/null', kind: 2 },
  ]);
  expect(bytes).toBe('new\nmore\n'.length + 'flat\n'.length + '../etc/file'.length);
  copyTree({ stack: ['difference', 'upper', 'lower'].map(path), target: path('again') }, never);
  const all = (root: string) => shell(`cd ${root} && find . -printf '%P %y %m %U %G %s %l %T@\\n' | sort`);
  expect(all('again')).toBe(all('tree'));
});
