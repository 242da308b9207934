import type { SourceEntry } from '../context/source-tree';

/** Kinds of packets. @see fsutil, types/wire.proto */
export const packets = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;

/** Go's os.FileMode bits. */
const goMode = {
  directory: 1 << 31,
  symlink: 1 << 27,
  device: 1 << 26,
  fifo: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  character: 1 << 21,
  sticky: 1 << 20,
} as const;

/** @returns undefined for a socket: nobody listens behind a copied one */
export function typeOf(mode: number): SourceEntry['type'] | undefined {
  if ((mode & goMode.directory) !== 0) return 'directory';
  if ((mode & goMode.symlink) !== 0) return 'symlink';
  if ((mode & goMode.fifo) !== 0) return 'fifo';
  if ((mode & goMode.socket) !== 0) return undefined;
  if ((mode & goMode.device) !== 0) return (mode & goMode.character) !== 0 ? 'character' : 'block';
  return 'file';
}

/** Permission bits with setuid, setgid and sticky. */
export function permissionsOf(mode: number): number {
  const has = (bit: number, value: number) => ((mode & bit) !== 0 ? value : 0);
  return (mode & 0o777) | has(goMode.setuid, 0o4000) | has(goMode.setgid, 0o2000) | has(goMode.sticky, 0o1000);
}

/** A file's kind and permissions as Go has them. */
export function goModeOf({ type, mode }: SourceEntry): number {
  const has = (bit: number, value: number) => ((mode & bit) !== 0 ? value : 0);
  const special = has(0o4000, goMode.setuid) | has(0o2000, goMode.setgid) | has(0o1000, goMode.sticky);
  return ((mode & 0o777) | special | kindBits(type)) >>> 0;
}

function kindBits(type: SourceEntry['type']): number {
  switch (type) {
    case 'directory':
    case 'symlink':
    case 'fifo':
      return goMode[type];
    case 'character':
      return goMode.device | goMode.character;
    case 'block':
      return goMode.device;
    case 'file':
      return 0;
  }
}
