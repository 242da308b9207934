import type { DriverVolume, VolumeDriver } from '../contracts/volume-driver';
import { conflict, invalidParameter, notFound } from '../errors';

/** The smallest driver that keeps every rule. Its volumes are names only: there are no directories behind them. */
export function referenceVolumeDriver(): VolumeDriver {
  const volumes = new Map<string, { createdAt: Date; mounts: Set<string> }>();
  const pathOf = (name: string) => `/reference-volumes/${encodeURIComponent(name)}`;
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
      if (!volumes.has(name)) volumes.set(name, { createdAt: new Date(), mounts: new Set() });
    },
    async remove(name) {
      if (find(name).mounts.size > 0) throw conflict(`volume ${name} is mounted`);
      volumes.delete(name);
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
