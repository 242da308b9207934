// Docker archives in plain Node: busybox with a link for each of its commands, or any files.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { findProgram } from '../system-packages.mjs';

/** @returns an archive that `docker load` takes, as a Buffer */
export function busyboxArchive(reference) {
  const busybox = findProgram('busybox');
  if (!busybox) throw new Error('there is no busybox: apt-get install busybox-static');
  const commands = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const folders = ['bin/', 'dev/', 'etc/', 'proc/', 'root/', 'sys/', 'tmp/'];
  return dockerArchive(reference, [
    [
      ...folders.map((name) => ({ name, mode: name === 'tmp/' ? 0o1777 : 0o755 })),
      { name: 'bin/busybox', mode: 0o755, data: readFileSync(busybox) },
      ...commands.filter((name) => name !== 'busybox').map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
      { name: 'etc/passwd', mode: 0o644, data: Buffer.from('root:x:0:0:root:/root:/bin/sh\n') },
      { name: 'etc/group', mode: 0o644, data: Buffer.from('root:x:0:\n') },
    ],
  ]);
}

/** @param layers lowest first; each a list of folders (name ends in "/"), files and symbolic links */
export function dockerArchive(reference, layers) {
  const tars = layers.map(tarOf);
  const created = '1970-01-01T00:00:00Z';
  const config = Buffer.from(
    JSON.stringify({
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch] ?? process.arch,
      os: 'linux',
      created,
      config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: tars.map((layer) => `sha256:${sha256(layer)}`) },
      history: tars.map((_, i) => ({ created, created_by: `layer ${i}` })),
    }),
  );
  const id = sha256(config);
  const paths = tars.map((_, i) => `layer${i}/layer.tar`);
  const manifest = [{ Config: `${id}.json`, RepoTags: [reference], Layers: paths }];
  return tarOf([
    ...tars.flatMap((data, i) => [
      { name: `layer${i}/`, mode: 0o755 },
      { name: paths[i], mode: 0o644, data },
    ]),
    { name: `${id}.json`, mode: 0o644, data: config },
    { name: 'manifest.json', mode: 0o644, data: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** POSIX ustar of folders (name ends in "/"), symbolic links and files, all of root's. */
export function tarOf(entries) {
  const blocks = [];
  for (const { name, mode = 0o777, data = Buffer.alloc(0), link = '' } of entries) {
    const header = Buffer.alloc(512);
    const octal = (value, at, length) => header.write(value.toString(8).padStart(length - 1, '0'), at);
    header.write(name, 0);
    octal(mode, 100, 8);
    octal(0, 108, 8);
    octal(0, 116, 8);
    octal(data.length, 124, 12);
    octal(0, 136, 12);
    header.write('        ', 148);
    header.write(link ? '2' : name.endsWith('/') ? '5' : '0', 156);
    header.write(link, 157);
    header.write('ustar\x0000', 257, 'latin1');
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    );
    blocks.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
