import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxImage, digestOf, type TestImage } from './images';

/**
 * An image whose layers hold everything a layer can hold: owners, modes, setuid bits, times in nanoseconds, hard and
 * symbolic links, devices, pipes, extended attributes, capabilities, long and odd names, deletions and hidden folders.
 *
 * @param folder where `below/`, what the lower of the two layers was packed from, is left
 */
export function intricateImage(reference: string, folder: string): TestImage {
  mkdirSync(folder, { recursive: true });
  const below = pack(
    folder,
    'below',
    `
    mkdir -p work/sub work/secret work/hidden; echo content > work/file; chown 1000:70000 work/file; chmod 4751 work/file
    echo able > work/able; chmod 755 work/able
    chmod 1777 work; chmod 0 work/secret; ln work/file work/sub/twin; ln -s ../file work/sub/link; ln -s /nowhere work/dead
    mknod work/null c 1 3; mknod work/loop b 7 300; mkfifo -m 600 work/pipe; echo x > work/hidden/old; echo x > work/gone
    name=$(printf 'n%.0s' $(seq 120)); mkdir -p work/$name/$name; echo long > work/$name/$name/$name
    printf x > "work/näme with spaces"; : > work/empty; head -c 70000 /dev/zero > work/zeros
    find work -depth -exec touch -h -d '2011-12-13 14:15:16.171819202' {} +
    touch -h -d '1969-12-31 23:59:58.5' work/sub/link; touch -d '2037-01-01' work`,
    `
os.setxattr('work/file', 'user.note', b'\\x00\\xffbytes')
os.setxattr('work/able', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
os.setxattr('work/sub', 'user.folder', b'yes')
os.utime('work', ns=(0, 2114380800_000000001))`,
  );
  const above = pack(
    folder,
    'above',
    `
    mkdir -p work/hidden work/sub; chmod 1777 work; : > work/.wh.gone; : > work/hidden/.wh..wh..opq; echo new > work/hidden/new
    echo other > work/sub/added; touch -h -d '2012-01-01 00:00:00.5' work/hidden/* work/sub/added work/hidden work/sub work`,
    '',
  );
  const plain = busyboxImage({ reference });
  const layers = [...plain.layers, below, above];
  const config = JSON.parse(plain.config.toString()) as { rootfs: object; history: object[] };
  config.rootfs = { type: 'layers', diff_ids: layers.map(digestOf) };
  config.history = layers.map((_, i) => ({ created: '2020-01-01T00:00:00Z', created_by: `layer ${i}` }));
  return { reference, config: Buffer.from(JSON.stringify(config)), layers };
}

/** GNU tar's archive of a folder that a script fills. */
function pack(parent: string, name: string, script: string, python: string): Buffer {
  const folder = join(parent, name);
  mkdirSync(folder);
  execFileSync('bash', ['-ec', script], { cwd: folder, stdio: 'pipe' });
  if (python !== '') execFileSync('python3', ['-c', `import os${python}`], { cwd: folder });
  const attributes = ['--xattrs', '--xattrs-include=*'];
  return execFileSync('tar', ['--format=posix', ...attributes, '--numeric-owner', '--sort=name', '-c', 'work'], {
    cwd: folder,
    maxBuffer: 1 << 26,
  });
}
