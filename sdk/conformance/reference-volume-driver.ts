import { mkdir, rm } from 'node:fs/promises';
import type { DriverVolume, VolumeDriver } from '../contracts/volume-driver';
import { conflict, invalidParameter, notFound } from '../errors';

/**
 * The smallest driver that keeps every rule.
 *
 * @param root existing directory for the volumes; when absent they are names only, without directories behind them
 */
export function referenceVolumeDriver(root?: string): VolumeDriver {
  const volumes = new Map<string, { createdAt: Date; mounts: Set<string> }>();
  const pathOf = (name: string) => `${root ?? '/reference-volumes'}/${encodeURIComponent(name)}`;
  const find = (name: string) => {
    const volume = volumes.get(name);
    if (volume === undefined) throw notFound(`no such volume: ${name}`);
    return volume;
  };
  const describe = (name: string): DriverVolume => ({
    name,
    mountpoint: pathOf(name),
    createdAt: find(name).createdAt,
    status: { mounts: find(name).mounts.size },
  });
  return {
    async capabilities() {
      return { scope: 'local' };
    },
    async create(name, options) {
      for (const option of Object.keys(options)) throw invalidParameter(`invalid option: "${option}"`);
      if (volumes.has(name)) return;
      volumes.set(name, { createdAt: new Date(), mounts: new Set() });
      if (root !== undefined) await mkdir(pathOf(name));
    },
    async remove(name) {
      if (find(name).mounts.size > 0) throw conflict(`volume ${name} is mounted`);
      volumes.delete(name);
      if (root !== undefined) await rm(pathOf(name), { recursive: true });
    },
    async mount(name, id) {
      find(name).mounts.add(id);
      return pathOf(name);
    },
    async unmount(name, id) {
      find(name).mounts.delete(id);
    },
    async path(name) {
      find(name);
      return pathOf(name);
    },
    async get(name) {
      return describe(name);
    },
    async list() {
      return [...volumes.keys()].map(describe);
    },
  };
}
