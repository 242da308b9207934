import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { getXattr, listXattrs, setXattr } from '@gantry/sdk/linux/xattr';
import { unpackLayer } from '../unpack/unpack-layer';
import { digestOf } from './support/image-archive';
import { type Entry, tarOf } from './support/tar';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-unpack-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

let runs = 0;
async function unpack(archive: Buffer): Promise<{ root: string; diffId: string; sizeBytes: number }> {
  const run = join(folder, `run${runs++}`);
  const root = join(run, 'diff');
  fs.mkdirSync(root, { recursive: true });
  const path = join(run, 'layer');
  fs.writeFileSync(path, archive);
  const source = { path, offset: 0, length: archive.length };
  const request = { source, directory: root, recipePath: join(run, 'recipe') };
  const result = await unpackLayer(
    request,
    () => {},
    () => false,
  );
  return { root, ...result };
}

/** Everything a file system keeps of a tree, hard links included. */
function describeTree(root: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const first = new Map<bigint, string>();
  const visit = (relative: Buffer) => {
    const path = Buffer.concat([Buffer.from(`${root}/`), relative]);
    const stat = fs.lstatSync(path, { bigint: true });
    const name = relative.toString('latin1');
    const terminated = Buffer.concat([path, Buffer.from([0])]);
    const xattrs = listXattrs(terminated).sort();
    found[name] = {
      mode: stat.mode.toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      modified: stat.mtimeNs,
      device: stat.isCharacterDevice() || stat.isBlockDevice() ? stat.rdev : undefined,
      content: stat.isFile() ? digestOf(fs.readFileSync(path)) : undefined,
      link: stat.isSymbolicLink() ? fs.readlinkSync(path, 'latin1') : undefined,
      sameAs: stat.nlink > 1n && !stat.isDirectory() ? (first.get(stat.ino) ?? 'itself') : undefined,
      xattrs: xattrs.map((key) => [key, getXattr(terminated, key)?.toString('hex')]),
    };
    if (!first.has(stat.ino)) first.set(stat.ino, name);
    if (!stat.isDirectory()) return;
    const names = fs.readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const child of names) visit(Buffer.concat([relative, Buffer.from('/'), child]));
  };
  visit(Buffer.from('.'));
  return found;
}

function makeTree(): string {
  const root = join(folder, 'tree');
  const long = 'long-directory-name-that-goes-on-and-on/'.repeat(5);
  fs.mkdirSync(join(root, long), { recursive: true });
  fs.mkdirSync(join(root, 'tmp'));
  fs.chmodSync(join(root, 'tmp'), 0o1777);
  fs.writeFileSync(join(root, 'su'), 'root');
  fs.chownSync(join(root, 'su'), 12, 3_000_000);
  fs.chmodSync(join(root, 'su'), 0o6755);
  fs.writeFileSync(join(root, 'ping'), 'ping');
  setXattr(join(root, 'ping'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  setXattr(join(root, 'ping'), 'user.note', Buffer.from([0, 1, 0xff, 10]));
  fs.linkSync(join(root, 'ping'), join(root, 'tmp', 'same'));
  fs.symlinkSync('/etc/../nowhere', join(root, 'dangling'));
  fs.symlinkSync('x'.repeat(200), join(root, 'far'));
  fs.writeFileSync(join(root, long, 'f'.repeat(200)), Buffer.alloc(100_000, 'ab'));
  fs.writeFileSync(join(root, 'größe–Ω'), 'utf-8');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/latin`), Buffer.from([0xe9])]), 'not utf-8');
  fs.writeFileSync(join(root, 'empty'), '');
  execFileSync('mknod', [join(root, 'null'), 'c', '1', '3']);
  execFileSync('mknod', [join(root, 'disk'), 'b', '259', '70000']);
  execFileSync('mkfifo', ['-m', '0622', join(root, 'pipe')]);
  execFileSync('touch', ['-h', '-d', '2001-02-03T04:05:06.123456789Z', join(root, 'dangling'), join(root, 'empty')]);
  execFileSync('touch', ['-d', '1960-01-01T00:00:00.5Z', join(root, 'su')]);
  execFileSync('touch', ['-d', '2011-11-11T11:11:11.111111111Z', join(root, 'tmp'), root]);
  return root;
}

test('a layer made by GNU tar comes out as it went in: owners, modes, times, links, devices, xattrs, names', async () => {
  const tree = makeTree();
  const archive = execFileSync(
    'tar',
    ['-C', tree, '--format=pax', '--xattrs', '--xattrs-include=*', '--numeric-owner', '-c', '.'],
    { maxBuffer: 1 << 26 },
  );
  const plain = await unpack(archive);
  expect(describeTree(plain.root)).toEqual(describeTree(tree));
  expect(plain.diffId).toBe(digestOf(archive));
  const packed = await unpack(gzipSync(archive));
  expect(describeTree(packed.root)).toEqual(describeTree(tree));
  expect(packed.diffId).toBe(digestOf(archive));
  const zstd = await unpack(execFileSync('zstd', ['-c'], { input: archive, maxBuffer: 1 << 26 }));
  expect(zstd.diffId).toBe(digestOf(archive));
});

test('GNU long names and base-256 owners are read', async () => {
  const tree = makeTree();
  const archive = execFileSync('tar', ['-C', tree, '--format=gnu', '--numeric-owner', '-c', '.'], {
    maxBuffer: 1 << 26,
  });
  const { root } = await unpack(archive);
  expect(Object.keys(describeTree(root))).toEqual(Object.keys(describeTree(tree)));
  expect(fs.statSync(join(root, 'su')).gid).toBe(3_000_000);
});

test('a sparse file made by GNU tar keeps its content', async () => {
  const tree = join(folder, 'sparse');
  fs.mkdirSync(tree);
  const file = fs.openSync(join(tree, 'disk.img'), 'w');
  fs.writeSync(file, 'begin', 0);
  fs.writeSync(file, 'middle', 1 << 20);
  fs.ftruncateSync(file, 3 << 20);
  fs.closeSync(file);
  for (const format of ['gnu', 'pax']) {
    const archive = execFileSync('tar', ['-C', tree, '-S', `--format=${format}`, '-c', '.'], { maxBuffer: 1 << 26 });
    const { root, sizeBytes } = await unpack(archive);
    expect(digestOf(fs.readFileSync(join(root, 'disk.img')))).toBe(digestOf(fs.readFileSync(join(tree, 'disk.img'))));
    expect(sizeBytes).toBe(3 << 20);
  }
});

test('whiteouts become character devices 0:0 and opaque directories their xattr', async () => {
  const { root } = await unpack(
    tarOf([
      { name: 'etc/' },
      { name: 'etc/.wh.passwd' },
      { name: 'var/cache/.wh..wh..opq' },
      { name: 'var/cache/new', data: 'x' },
      { name: '.wh..wh.plnk/' },
      { name: '.wh.replaced' },
      { name: 'replaced/', mode: 0o700 },
    ]),
  );
  const gone = fs.lstatSync(join(root, 'etc/passwd'));
  expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0]);
  expect(getXattr(join(root, 'var/cache'), 'trusted.overlay.opaque')?.toString()).toBe('y');
  expect(fs.readFileSync(join(root, 'var/cache/new'), 'utf8')).toBe('x');
  expect(fs.readdirSync(root).sort()).toEqual(['etc', 'replaced', 'var']);
  expect(getXattr(join(root, 'replaced'), 'trusted.overlay.opaque')?.toString()).toBe('y');
});

test('overlay notes smuggled in as xattrs are not obeyed', async () => {
  const tree = join(folder, 'notes');
  fs.mkdirSync(join(tree, 'dir'), { recursive: true });
  setXattr(join(tree, 'dir'), 'trusted.overlay.redirect', Buffer.from('/etc'));
  const archive = execFileSync('tar', ['-C', tree, '--format=pax', '--xattrs', '--xattrs-include=*', '-c', '.']);
  const { root } = await unpack(archive);
  expect(listXattrs(join(root, 'dir'))).toEqual([]);
});

test('entries below a symbolic link inside the layer land where it points', async () => {
  const { root } = await unpack(
    tarOf([{ name: 'usr/lib/' }, { name: 'lib', flag: '2', link: 'usr/lib' }, { name: 'lib/a.so', data: 'so' }]),
  );
  expect(fs.readFileSync(join(root, 'usr/lib/a.so'), 'utf8')).toBe('so');
});

const malicious: [string, Entry[]][] = [
  ['an absolute name', [{ name: '/etc/gantry-evil', data: 'x' }]],
  ['a name with ..', [{ name: 'a/../../evil', data: 'x' }]],
  [
    'a parent that links to an absolute path',
    [
      { name: 'd', flag: '2', link: '/tmp' },
      { name: 'd/evil', data: 'x' },
    ],
  ],
  [
    'a parent that links above the root',
    [
      { name: 'd', flag: '2', link: '../..' },
      { name: 'd/evil', data: 'x' },
    ],
  ],
  [
    'a chain of such links',
    [
      { name: 'a', flag: '2', link: '.' },
      { name: 'b', flag: '2', link: 'a/../..' },
      { name: 'b/evil', data: 'x' },
    ],
  ],
  [
    'a loop of links',
    [
      { name: 'a', flag: '2', link: 'b' },
      { name: 'b', flag: '2', link: 'a' },
      { name: 'a/evil', data: 'x' },
    ],
  ],
  ['a hard link to the outside', [{ name: 'h', flag: '1', link: '../../../../etc/passwd' }]],
  [
    'a hard link through a symbolic link',
    [
      { name: 'd', flag: '2', link: '/etc' },
      { name: 'h', flag: '1', link: 'd/passwd' },
    ],
  ],
  ['a whiteout of ..', [{ name: 'a/.wh...', data: '' }]],
  [
    'a file twice',
    [
      { name: 'a', data: '1' },
      { name: 'a', data: '2' },
    ],
  ],
  [
    'a file where a directory is',
    [
      { name: 'a/b', data: '1' },
      { name: 'a', data: '2' },
    ],
  ],
  [
    'a directory where a file is',
    [
      { name: 'a', data: '1' },
      { name: 'a/b', data: '2' },
    ],
  ],
];

test.each(malicious)('%s is refused', async (_, entries) => {
  const outside = () => fs.readdirSync(tmpdir()).filter((name) => name.includes('evil'));
  await expect(unpack(tarOf(entries))).rejects.toThrow();
  expect(outside()).toEqual([]);
  expect(fs.readdirSync(folder).filter((name) => !name.startsWith('run'))).toEqual([]);
});

test('truncated and damaged archives are refused', async () => {
  const whole = tarOf([{ name: 'a', data: 'x'.repeat(2000) }]);
  await expect(unpack(whole.subarray(0, 1000))).rejects.toMatchObject({ kind: 'invalid-parameter' });
  const bad = Buffer.from(whole);
  bad[0] = 0x7a;
  await expect(unpack(bad)).rejects.toMatchObject({ kind: 'invalid-parameter' });
  await expect(unpack(gzipSync(whole).subarray(0, 60))).rejects.toThrow();
});
