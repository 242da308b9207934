import { errno, libc, systemCallError } from './libc';

const mknodCall = libc.func('int mknod(const char *path, unsigned int mode, unsigned long dev)');

/** Type bits of a mode. @see inode(7) */
export const nodeTypes = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

/** A device number as the kernel keeps it. @see makedev(3) */
export function deviceNumber(major: number, minor: number): bigint {
  const wideMajor = BigInt(major);
  const wideMinor = BigInt(minor);
  return (
    ((wideMajor & 0xfffn) << 8n) | ((wideMajor & ~0xfffn) << 32n) | (wideMinor & 0xffn) | ((wideMinor & ~0xffn) << 12n)
  );
}

/**
 * Makes a FIFO or a device node.
 *
 * @param path a Buffer must end with a zero byte
 * @param mode type and permission bits; the process's umask applies
 * @throws EEXIST, EPERM, … as fs does
 */
export function makeNode(path: string | Buffer, mode: number, device: bigint = 0n): void {
  if (mknodCall(path, mode, device) !== 0) throw systemCallError('mknod', errno(), path.toString());
}
