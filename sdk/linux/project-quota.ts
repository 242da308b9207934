import { closeSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno, libc, systemCallError } from './libc';

const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)');
const quotactlFd = libc.func(
  'long syscall(long number, unsigned int fd, unsigned int command, long id, void *argument)',
);

/** One number on every architecture; Linux 5.14. @see quotactl(2) */
const quotactlFdNumber = 443;
const projectQuota = 2;
const command = (number: number) => (((0x58 << 8) | number) << 8) | projectQuota;
const getUsage = command(3);
const setLimits = command(4);
const getNext = command(9);
const getState = command(5);
/** Projects are counted, and kept to their limits. @see linux/dqblk_xfs.h, FS_QUOTA_PDQ_ACCT and FS_QUOTA_PDQ_ENFD */
const counted = 1 << 4;
const enforced = 1 << 5;

/** @see linux/fs.h, struct fsxattr */
const attributes = { bytes: 28, flags: 0, project: 12, get: 0x801c581f, set: 0x401c5820, inherit: 0x200 } as const;
/** @see linux/dqblk_xfs.h, struct fs_disk_quota */
const limits = {
  bytes: 112,
  version: 0,
  kind: 1,
  mask: 2,
  id: 4,
  hard: 8,
  soft: 16,
  hardInodes: 24,
  softInodes: 32,
  usedBlocks: 40,
  inodes: 48,
  both: 0b1100,
  blockBytes: 512,
} as const;

/** Whether the file system of a directory keeps projects to limits: xfs and ext4 do when they are mounted so. */
export function hasProjectQuota(directory: string): boolean {
  return withOpen(directory, (fd) => {
    const state = Buffer.alloc(256);
    if (Number(quotactlFd(quotactlFdNumber, fd, getState, 0, state)) !== 0) return false;
    const wanted = counted | enforced;
    return (state.readUInt16LE(2) & wanted) === wanted;
  });
}

/** Project of a directory; 0 is none. @throws ENOTTY, EOPNOTSUPP  the file system has no projects */
function projectOf(directory: string): number {
  return withOpen(directory, (fd) => readAttributes(fd, directory).readUInt32LE(attributes.project));
}

/** The lowest number that may be free, by the device of the file system: what is below was given out by this process. */
const hints = new Map<number, number>();
const attempts = 16;

/**
 * Limits what a directory may hold: it becomes the root of a project that nothing else on its file system has, and all
 * that is made in it from now on belongs to it. The file system itself knows which projects are taken, so that all
 * plugins, processes and daemons on it keep out of each other's way.
 *
 * @param directory  still empty
 * @param sizeBytes  rounded down to 512
 */
export function limitDirectory(directory: string, sizeBytes: number): void {
  const parent = dirname(directory);
  const device = statSync(directory).dev;
  // Beyond the project of the directory around it, as dockerd counts them.
  let from = hints.get(device) ?? projectOf(parent) + 1;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const project = withOpen(directory, (fd) => firstFree(fd, from, directory));
    setProject(directory, project);
    // Another process may have found the same number free: whoever is not alone in it goes on looking elsewhere.
    if (withOpen(directory, (fd) => isAlone(fd, project, directory))) {
      hints.set(device, project + 1);
      limitProject(directory, project, sizeBytes);
      return;
    }
    from = project + 1 + Math.floor(Math.random() * 1000);
  }
  throw new Error(`no project is free on the file system of ${directory}`);
}

/**
 * Looks up what limits a directory that is about to be removed.
 *
 * @param root  a directory of the same file system that stays
 * @returns what lifts the limit and frees its number, to be called once the directory is gone; it does nothing for a
 *   directory that is not there or has the project of the one around it
 */
export function holdLimit(directory: string, root: string): () => void {
  let project: number;
  try {
    project = projectOf(directory);
    if (project === projectOf(dirname(directory))) return () => {};
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return () => {};
    throw error;
  }
  return () => limitProject(root, project, 0);
}

/** The first project from a number on that has neither limits nor files. */
function firstFree(fd: number, from: number, directory: string): number {
  for (let project = from; ; project++) {
    const quota = readQuota(fd, getNext, project, directory);
    if (quota === undefined || quota.readUInt32LE(limits.id) !== project || isUnused(quota)) return project;
  }
}

/** Whether a project that has no limits yet holds one directory and nothing else. */
function isAlone(fd: number, project: number, directory: string): boolean {
  const quota = readQuota(fd, getUsage, project, directory);
  return quota === undefined || (!isLimited(quota) && quota.readBigUInt64LE(limits.inodes) === 1n);
}

const isUnused = (quota: Buffer) =>
  !isLimited(quota) && [limits.usedBlocks, limits.inodes].every((at) => quota.readBigUInt64LE(at) === 0n);
const isLimited = (quota: Buffer) =>
  [limits.hard, limits.soft, limits.hardInodes, limits.softInodes].some((at) => quota.readBigUInt64LE(at) !== 0n);

/** @returns undefined  nothing is known of this project, nor, asked for the next, of a later one */
function readQuota(fd: number, what: number, project: number, directory: string): Buffer | undefined {
  const ENOENT = 2;
  const quota = Buffer.alloc(limits.bytes);
  if (Number(quotactlFd(quotactlFdNumber, fd, what, project, quota)) === 0) return quota;
  const code = errno();
  if (code === ENOENT) return undefined;
  throw systemCallError('quotactl_fd', code, `project ${project} of ${directory}`);
}

/** Makes a directory the root of a project: all that is made in it from now on belongs to it. */
function setProject(directory: string, project: number): void {
  withOpen(directory, (fd) => {
    const found = readAttributes(fd, directory);
    found.writeUInt32LE((found.readUInt32LE(attributes.flags) | attributes.inherit) >>> 0, attributes.flags);
    found.writeUInt32LE(project, attributes.project);
    if (ioctlCall(fd, attributes.set, found) !== 0) throw systemCallError('FS_IOC_FSSETXATTR', errno(), directory);
  });
}

/**
 * Limits what a project may hold.
 *
 * @param directory  any of the file system
 * @param sizeBytes  rounded down to 512; 0 = no limit
 */
function limitProject(directory: string, project: number, sizeBytes: number): void {
  withOpen(directory, (fd) => {
    const quota = Buffer.alloc(limits.bytes);
    const blocks = BigInt(Math.floor(sizeBytes / limits.blockBytes));
    quota.writeInt8(1, limits.version);
    quota.writeInt8(projectQuota, limits.kind);
    quota.writeUInt16LE(limits.both, limits.mask);
    quota.writeUInt32LE(project, limits.id);
    quota.writeBigUInt64LE(blocks, limits.hard);
    quota.writeBigUInt64LE(blocks, limits.soft);
    if (Number(quotactlFd(quotactlFdNumber, fd, setLimits, project, quota)) !== 0)
      throw systemCallError('quotactl_fd', errno(), `project ${project} of ${directory}`);
  });
}

function readAttributes(fd: number, directory: string): Buffer {
  const found = Buffer.alloc(attributes.bytes);
  if (ioctlCall(fd, attributes.get, found) !== 0) throw systemCallError('FS_IOC_FSGETXATTR', errno(), directory);
  return found;
}

function withOpen<T>(directory: string, work: (fd: number) => T): T {
  const fd = openSync(directory, 'r');
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}
