import { readdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { DaemonSettings, Logger, PreparedChange } from '@gantry/sdk';
import { prepareRuntime, type RuntimeSetting } from './oci/oci-runtime';
import { findShims } from './shim/find-shims';
import { killShim, removeShimDirectory } from './shim/shim';
import { ShimPool } from './shim/shim-pool';
import { ShimRuntime } from './shim-runtime';
import { Slots } from './task/slots';

export interface Runtimes {
  readonly byName: Record<keyof typeof bundledRuntimes, ShimRuntime> & Record<string, ShimRuntime>;
  /** What runs managed plugins: as the default runtime of the daemon, beside the containers. */
  readonly forPlugins: ShimRuntime;
  /** Containers that run keep the runtime they were started with; the next start takes the new setting. */
  reconfigure(settings: Pick<DaemonSettings, 'runtimes'>): PreparedChange;
  close(): Promise<void>;
}

/** The names every daemon has; daemon.json may say how to run them and add others. */
export const bundledRuntimes = {
  runc: {},
  crun: {},
  'io.containerd.runc.v2': {},
} satisfies Readonly<Record<string, RuntimeSetting>>;

/** Opens all runtimes; programs are looked for when they are needed, so that a missing one harms nobody else. */
export async function openRuntimes(
  settings: Pick<DaemonSettings, 'runtimes' | 'cgroupDriver' | 'defaultRuntime'>,
  runDir: string,
  warmShims: number,
  log: Logger,
): Promise<Runtimes> {
  const poolDirectory = join(runDir, 'pool');
  await collectSpareShims(poolDirectory);
  const pools = new Map<string, ShimPool>();
  const poolFor = (shim: string) => {
    let pool = pools.get(shim);
    if (pool === undefined) {
      pool = new ShimPool(shim, poolDirectory, warmShims, log);
      pools.set(shim, pool);
    }
    return pool;
  };
  const createSlots = new Slots(2 * cpus().length);
  const directories = { scripts: join(runDir, 'scripts'), state: join(runDir, 'state') };
  const systemdCgroup = settings.cgroupDriver === 'systemd';
  let wanted: Readonly<Record<string, RuntimeSetting>> = { ...bundledRuntimes, ...settings.runtimes };
  /** All there ever were: one that has left the configuration may still look after containers. */
  const opened = new Map<string, ShimRuntime>();
  const open = (name: string) => {
    const runtime =
      opened.get(name) ??
      new ShimRuntime({
        directory: join(runDir, 'tasks', name),
        createSlots,
        log,
        poolFor,
        prepare: () => prepareRuntime(name, wanted[name] ?? {}, directories, systemdCgroup),
      });
    opened.set(name, runtime);
    return runtime;
  };
  const forPlugins = new ShimRuntime({
    directory: join(runDir, 'plugins'),
    createSlots,
    log,
    poolFor,
    prepare: () =>
      prepareRuntime(settings.defaultRuntime, wanted[settings.defaultRuntime] ?? {}, directories, systemdCgroup),
  });
  const openAll = () => Object.fromEntries(Object.keys(wanted).map((name) => [name, open(name)]));
  return {
    byName: openAll() as Runtimes['byName'],
    forPlugins,
    reconfigure(next) {
      const before = wanted;
      const after: typeof wanted = { ...bundledRuntimes, ...next.runtimes };
      const drivers = Object.fromEntries(Object.keys(after).map((name) => [name, open(name)]));
      return {
        drivers,
        commit() {
          wanted = after;
          for (const [name, runtime] of Object.entries(drivers))
            if (!isDeepStrictEqual(before[name], after[name])) runtime.forgetPrograms();
          forPlugins.forgetPrograms();
        },
      };
    },
    async close() {
      for (const runtime of [...opened.values(), forPlugins]) runtime.close();
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

/** Ends the spare shims of a daemon that was killed: nobody else knows of them. */
async function collectSpareShims(directory: string): Promise<void> {
  const left = await readdir(directory).catch(() => []);
  if (left.length === 0) return;
  for (const { pid } of await findShims(directory)) killShim(pid);
  await removeShimDirectory(directory);
}
