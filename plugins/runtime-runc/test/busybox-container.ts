import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { DaemonSettings, Logger, OciSpec } from '@gantry/sdk';
import { openRuntimes, type Runtimes } from '../open-runtimes';

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

export interface TestBed {
  readonly directory: string;
  readonly runDir: string;
  readonly rootfs: string;
  open(options?: { warmShims?: number; runtimes?: DaemonSettings['runtimes'] }): Promise<Runtimes>;
  remove(): Promise<void>;
}

/** A directory with a root file system made of the machine's static busybox. */
export async function makeTestBed(): Promise<TestBed> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-runc-'));
  const rootfs = join(directory, 'rootfs');
  for (const name of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc']) await mkdir(join(rootfs, name), { recursive: true });
  await cp('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of ['sh', 'true', 'cat', 'echo', 'sleep', 'stty', 'kill', 'seq', 'ls', 'head', 'dd'])
    await symlink('busybox', join(rootfs, 'bin', applet));
  const runDir = join(directory, 'run');
  return {
    directory,
    runDir,
    rootfs,
    open: ({ warmShims = 0, runtimes = {} } = {}) =>
      openRuntimes({ runtimes, cgroupDriver: 'cgroupfs', defaultRuntime: 'runc' }, runDir, warmShims, quiet),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

export const newId = () => randomBytes(32).toString('hex');

export function busyboxSpec(bed: TestBed, id: string, args: string[], terminal = false): OciSpec {
  return {
    ociVersion: '1.2.0',
    process: {
      terminal,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: ['CAP_KILL'],
        effective: ['CAP_KILL'],
        permitted: ['CAP_KILL'],
        inheritable: [],
        ambient: [],
      },
    },
    root: { path: bed.rootfs },
    hostname: 'test',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance'] },
    ],
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'network' },
        { type: 'cgroup' },
      ],
      cgroupsPath: `/gantry-test/${id}`,
    },
  };
}

export async function readAll(stream: Readable | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  if (stream) for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Resolves with everything read so far once `text` was seen. */
export function readUntil(stream: Readable, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const take = (chunk: Buffer) => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      stream.off('data', take);
      resolve(seen);
    };
    stream.on('data', take);
    stream.once('end', () => reject(new Error(`ended without "${text}": ${seen}`)));
  });
}
