import { errno, libc, systemCallError } from './libc';

const mountCall = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umountCall = libc.func('int umount2(const char *target, int flags)');

/** @see mount(2) */
export const mountFlags = {
  readonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  noatime: 1024,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  relatime: 1 << 21,
} as const;

/** Mounts. Blocks the thread for under a millisecond on local file systems; not for network file systems. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags = 0,
  data: string | null = null,
): void {
  if (mountCall(source, target, type, flags, data) !== 0)
    throw systemCallError('mount', errno(), `${source} on ${target}`);
}

/** Unmounts. `detach` makes it disappear at once, even while it is busy (MNT_DETACH). Not mounted is no error. */
export function unmount(target: string, options: { detach?: boolean } = {}): void {
  if (umountCall(target, options.detach ? 2 : 0) === 0) return;
  const code = errno();
  const EINVAL = 22;
  const ENOENT = 2;
  if (code !== EINVAL && code !== ENOENT) throw systemCallError('umount2', code, target);
}

/**
 * Unmounts on a thread of its own: the kernel may write a whole file system back first.
 * Not mounted is no error. @throws EBUSY, … when it is still mounted afterwards
 */
export async function unmountAside(target: string, options: { detach?: boolean } = {}): Promise<void> {
  const failed = await new Promise<boolean>((resolve, reject) => {
    umountCall.async(target, options.detach ? 2 : 0, (error: Error | null, result: number) =>
      error === null ? resolve(result !== 0) : reject(error),
    );
  });
  // The other thread's errno is out of reach, so the call is repeated here where it can be read.
  if (failed) unmount(target, options);
}
