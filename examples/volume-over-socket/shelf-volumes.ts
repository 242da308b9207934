import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  conflict,
  type DriverVolume,
  invalidParameter,
  KeyedLock,
  notFound,
  type VolumeDriver,
  writeFileAtomically,
} from '@gantry/sdk';

interface Shelf {
  readonly createdAt: string;
  /** Ids of the mounts; kept on disk, since the engine does not repeat them when this program restarts (P-VOL-9). */
  readonly mounts: readonly string[];
}

/** Volumes as directories below `root`, with a register beside them that survives a restart of the program. */
export async function openShelfVolumes(root: string): Promise<VolumeDriver> {
  const register = join(root, 'shelves.json');
  await mkdir(join(root, 'shelves'), { recursive: true });
  const shelves = new Map<string, Shelf>(Object.entries(await readRegister(register)));
  const oneAtATime = new KeyedLock();
  const change = <T>(work: () => Promise<T>) => oneAtATime.run('register', work);
  const save = () => writeFileAtomically(register, JSON.stringify(Object.fromEntries(shelves), null, 2));
  const pathOf = (name: string) => join(root, 'shelves', name);
  const find = (name: string): Shelf => {
    const shelf = shelves.get(name);
    if (shelf === undefined) throw notFound(`no shelf ${name}`);
    return shelf;
  };
  const describe = (name: string): DriverVolume => ({
    name,
    mountpoint: pathOf(name),
    createdAt: new Date(find(name).createdAt),
    status: { mounts: find(name).mounts.length },
  });
  return {
    async capabilities() {
      return { scope: 'local' };
    },
    create: (name, options) =>
      change(async () => {
        for (const option of Object.keys(options)) throw invalidParameter(`shelves take no options, not "${option}"`);
        if (!/^\w[\w.-]*$/.test(name)) throw invalidParameter(`"${name}" cannot be the name of a shelf`);
        if (shelves.has(name)) return;
        await mkdir(pathOf(name), { recursive: true });
        shelves.set(name, { createdAt: new Date().toISOString(), mounts: [] });
        await save();
      }),
    remove: (name) =>
      change(async () => {
        if (find(name).mounts.length > 0) throw conflict(`shelf ${name} is mounted`);
        shelves.delete(name);
        await save();
        await rm(pathOf(name), { recursive: true, force: true });
      }),
    mount: (name, id) =>
      change(async () => {
        const shelf = find(name);
        if (!shelf.mounts.includes(id)) shelves.set(name, { ...shelf, mounts: [...shelf.mounts, id] });
        await save();
        return pathOf(name);
      }),
    unmount: (name, id) =>
      change(async () => {
        const shelf = find(name);
        shelves.set(name, { ...shelf, mounts: shelf.mounts.filter((held) => held !== id) });
        await save();
      }),
    async path(name) {
      find(name);
      return pathOf(name);
    },
    get: async (name) => describe(name),
    list: async () => [...shelves.keys()].map(describe),
  };
}

async function readRegister(path: string): Promise<Record<string, Shelf>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, Shelf>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
