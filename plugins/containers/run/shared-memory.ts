import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mount, mountFlags, unmount } from '@gantry/sdk/linux/mount';
import type { ContainerRecord } from '../records/container-record';

/** The directory whose tmpfs other containers may share; mounted for `shareable` only. */
export const sharedMemoryPath = (directory: string): string => join(directory, 'mounts', 'shm');

/** Mounts the shared memory that others may join. @returns the way back, or undefined when it is not shared */
export async function mountSharedMemory(record: ContainerRecord, directory: string): Promise<(() => void) | undefined> {
  if (record.hostConfig.IpcMode !== 'shareable') return undefined;
  const path = sharedMemoryPath(directory);
  await mkdir(path, { recursive: true, mode: 0o700 });
  mount(
    'shm',
    path,
    'tmpfs',
    mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec,
    `mode=1777,size=${record.hostConfig.ShmSize}`,
  );
  await chmod(path, 0o1777);
  return () => unmount(path, { detach: true });
}

export function unmountSharedMemory(record: ContainerRecord, directory: string): void {
  if (record.hostConfig.IpcMode === 'shareable') unmount(sharedMemoryPath(directory), { detach: true });
}
