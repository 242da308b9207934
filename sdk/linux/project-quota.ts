import { closeSync, openSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';

const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)');
const quotactlFd = libc.func(
  'long syscall(long number, unsigned int fd, unsigned int command, long id, void *argument)',
);

/** One number on every architecture; Linux 5.14. @see quotactl(2) */
const quotactlFdNumber = 443;
const projectQuota = 2;
const command = (number: number) => (((0x58 << 8) | number) << 8) | projectQuota;
const setLimits = command(4);
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
export function projectOf(directory: string): number {
  return withOpen(directory, (fd) => readAttributes(fd, directory).readUInt32LE(attributes.project));
}

/** Makes a directory the root of a project: all that is made in it from now on belongs to it. */
export function setProject(directory: string, project: number): void {
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
export function limitProject(directory: string, project: number, sizeBytes: number): void {
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
