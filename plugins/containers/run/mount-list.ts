import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { invalidParameter, type OciMount, type SandboxState, systemError } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { ContainerRecord, MountPoint } from '../records/container-record';
import { kernelAtLeast } from '../spec/seccomp';
import { assertPropagation } from './source-propagation';
import { mountSubpath } from './subpath-mounts';

/** What a user asked to be mounted, and the files of the sandbox; sources that may be made are made. */
export async function userMounts(
  record: ContainerRecord,
  directory: string,
  volumePaths: ReadonlyMap<string, string>,
  files: SandboxState | undefined,
  engine: Engine,
): Promise<OciMount[]> {
  const recursive = await canBeReadOnlyBelow(record, engine);
  const sourceOf = (point: MountPoint) => hostSource(point, directory, volumePaths);
  const settled = await Promise.allSettled(record.mounts.map((point) => userMount(point, sourceOf, recursive)));
  const mounts = settled.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
  await assertPropagation(record.mounts, engine.settings.dataRoot);
  const taken = new Set(mounts.map(({ destination }) => destination));
  const sandboxFiles: [string, string | undefined][] = [
    ['/etc/resolv.conf', files?.resolvConfPath],
    ['/etc/hostname', files?.hostnamePath],
    ['/etc/hosts', files?.hostsPath],
  ];
  for (const [destination, source] of sandboxFiles)
    if (source && !taken.has(destination))
      mounts.push({
        destination,
        type: 'bind',
        source,
        options: ['rbind', 'rprivate', ...(record.hostConfig.ReadonlyRootfs ? ['ro'] : [])],
      });
  return mounts;
}

async function userMount(
  point: MountPoint,
  sourceOf: (point: MountPoint) => Promise<string>,
  recursiveReadOnly: boolean,
): Promise<OciMount> {
  const { destination } = point;
  switch (point.type) {
    case 'tmpfs':
      return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(point.options ?? []) };
    case 'volume':
    case 'image': {
      const source = await sourceOf(point);
      const access = await accessOf(point, source, recursiveReadOnly);
      return { destination, type: 'bind', source, options: ['rbind', ...access] };
    }
    case 'bind': {
      await ensureBindSource(point);
      const { source } = point;
      const access = await accessOf(point, source, recursiveReadOnly);
      return {
        destination,
        type: 'bind',
        source,
        options: [point.recursive ? 'rbind' : 'bind', ...access, ...(point.propagation ? [point.propagation] : [])],
      };
    }
  }
}

/** A runtime that does not know `rro` still does `ro`. */
async function accessOf(point: MountPoint, source: string, recursiveReadOnly: boolean): Promise<string[]> {
  if (point.readWrite) return [];
  if (point.recursiveReadOnly === 'required' && !recursiveReadOnly)
    throw invalidParameter(
      `mount ${point.destination} cannot be made recursively read-only: it needs Linux 5.12 or newer, and runc 1.1 or crun 1.4 or newer`,
    );
  const below = recursiveReadOnly && point.recursiveReadOnly !== 'never' && point.recursive;
  // Nothing is below a file, and crun 1.8 takes what is mounted with `rro` for a directory.
  return below && (await stat(source)).isDirectory() ? ['ro', 'rro'] : ['ro'];
}

/** Whether kernel and OCI runtime know mounts that are read-only with everything below them. */
async function canBeReadOnlyBelow(record: ContainerRecord, engine: Engine): Promise<boolean> {
  if (!engine.host.recursiveReadOnly || record.mounts.every(({ readWrite }) => readWrite)) return false;
  const { name, version } = (await engine.runtimes
    .get(record.hostConfig.Runtime)
    ?.version()
    .catch(() => undefined)) ?? { name: '', version: '' };
  const needed = { runc: '1.1', crun: '1.4' }[name];
  return needed !== undefined && kernelAtLeast(version, needed);
}

/** Where a mounted volume or image, or the part of it that is asked for, is on the host. */
async function hostSource(
  point: MountPoint,
  directory: string,
  volumePaths: ReadonlyMap<string, string>,
): Promise<string> {
  const base = volumePaths.get(point.mountId);
  if (base === undefined) throw systemError(`${point.type} ${point.name || point.source} is not mounted`);
  return point.subpath === '' ? base : mountSubpath(base, point, directory);
}

async function ensureBindSource(point: MountPoint): Promise<void> {
  try {
    await access(point.source, constants.F_OK);
  } catch (error) {
    if (!point.createSource)
      throw invalidParameter(
        `invalid mount config for type "bind": bind source path does not exist: ${point.source}`,
        error,
      );
    try {
      await mkdir(point.source, { recursive: true, mode: 0o755 });
    } catch (cause) {
      const { code, path = point.source, message } = cause as NodeJS.ErrnoException;
      const why = code === 'ENOTDIR' ? `mkdir ${path}: not a directory` : message;
      throw systemError(`error while creating mount source path '${point.source}': ${why}`, cause);
    }
  }
}

function tmpfsOptions(asked: readonly string[]): string[] {
  const opposites: Record<string, string> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };
  const lifted = asked.map((option) => opposites[option]);
  return [
    ...['noexec', 'nosuid', 'nodev'].filter((option) => !lifted.includes(option) && !asked.includes(option)),
    ...asked,
  ];
}
