import { readFile, realpath } from 'node:fs/promises';
import { systemError } from '@gantry/sdk';
import { isAbout } from '../create/daemon-root';
import type { MountPoint } from '../records/container-record';

const isShared = ({ propagation }: MountPoint) => propagation === 'shared' || propagation === 'rshared';
const isSlave = ({ propagation }: MountPoint) => propagation === 'slave' || propagation === 'rslave';

/** What the container's root must be for the propagation of its mounts; empty = the default. */
export function propagationOf(mounts: readonly MountPoint[]): string {
  if (mounts.some(isShared)) return 'shared';
  return mounts.some(isSlave) ? 'rslave' : '';
}

/**
 * Mounts travel between host and container only where the host's mount is shared.
 *
 * @throws system  `path … is mounted on … but it is not a shared mount`
 */
export async function assertPropagation(mounts: readonly MountPoint[], dataRoot: string): Promise<void> {
  const wanting = mounts.filter((point) => isShared(point) || isSlave(point));
  if (wanting.length === 0) return;
  const table = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(parseMount);
  for (const point of wanting) {
    // What belongs to the daemon gets its propagation from us: where it cannot be had nothing is lost.
    if (isSlave(point) && isAbout(point.source, dataRoot)) continue;
    const path = await realpath(point.source);
    const host = table.filter(({ place }) => path === place || path.startsWith(place === '/' ? place : `${place}/`));
    const { place, tags } = host.reduce((best, each) => (each.place.length >= best.place.length ? each : best));
    const fits = tags.includes('shared:') || (isSlave(point) && tags.includes('master:'));
    const kind = isShared(point) ? 'shared' : 'shared or slave';
    if (!fits) throw systemError(`path ${point.source} is mounted on ${place} but it is not a ${kind} mount`);
  }
}

/** @see proc(5), /proc/pid/mountinfo */
function parseMount(line: string): { place: string; tags: string } {
  const [before = ''] = line.split(' - ', 1);
  const fields = before.split(' ');
  const place = (fields[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return { place, tags: fields.slice(6).join(' ') };
}
