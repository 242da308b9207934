import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, type DriverVolume, invalidParameter, notFound, unavailable, type VolumeDriver } from '@gantry/sdk';

/** Volumes as plain directories below `root`, at most `maxVolumes` of them. One option: `mode`, in octal. */
export async function openScratchVolumes(root: string, maxVolumes: number): Promise<VolumeDriver> {
  await mkdir(root, { recursive: true });
  const names = new Set(await readdir(root));
  const mounts = new Map<string, Set<string>>();
  const known = (name: string): string => {
    if (!names.has(name)) throw notFound(`no scratch volume ${name}`);
    return join(root, name);
  };
  const describe = async (name: string): Promise<DriverVolume> => ({
    name,
    mountpoint: known(name),
    createdAt: (await stat(known(name))).birthtime,
    status: { users: mounts.get(name)?.size ?? 0 },
  });
  return {
    async capabilities() {
      return { scope: 'local' };
    },
    async create(name, { mode = '755', ...unknown }) {
      for (const option of Object.keys(unknown))
        throw invalidParameter(`unknown option "${option}"; there is only "mode"`);
      if (!/^[0-7]{3,4}$/.test(mode)) throw invalidParameter(`mode "${mode}" is not octal`);
      if (!/^\w[\w.-]*$/.test(name)) throw invalidParameter(`"${name}" cannot be the name of a directory`);
      if (names.has(name)) return;
      if (names.size >= maxVolumes) throw unavailable(`there are ${maxVolumes} scratch volumes already`);
      names.add(name);
      try {
        await mkdir(join(root, name));
        await chmod(join(root, name), Number.parseInt(mode, 8));
      } catch (error) {
        names.delete(name);
        throw error;
      }
    },
    async remove(name) {
      const path = known(name);
      if (mounts.get(name)?.size) throw conflict(`scratch volume ${name} is mounted`);
      await rm(path, { recursive: true, force: true });
      names.delete(name);
    },
    async mount(name, id) {
      const path = known(name);
      mounts.set(name, (mounts.get(name) ?? new Set()).add(id));
      return path;
    },
    async unmount(name, id) {
      known(name);
      mounts.get(name)?.delete(id);
    },
    path: async (name) => known(name),
    get: async (name) => describe(name),
    list: () => Promise.all([...names].map(describe)),
  };
}
