import { readdir } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { DaemonSettings, Logger } from '@gantry/sdk';
import { prepareRuntime, type RuntimeSetting } from './oci/oci-runtime';
import { findShims } from './shim/find-shims';
import { killShim, removeShimDirectory } from './shim/shim';
import { ShimPool } from './shim/shim-pool';
import { ShimRuntime } from './shim-runtime';
import { Slots } from './task/slots';

export interface Runtimes {
  readonly byName: Record<keyof typeof bundledRuntimes, ShimRuntime> & Record<string, ShimRuntime>;
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
  settings: Pick<DaemonSettings, 'runtimes' | 'cgroupDriver'>,
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
  const wanted: Record<string, RuntimeSetting> = { ...bundledRuntimes, ...settings.runtimes };
  const byName = Object.fromEntries(
    Object.entries(wanted).map(([name, setting]) => [
      name,
      new ShimRuntime({
        directory: join(runDir, 'tasks', name),
        createSlots,
        log,
        poolFor,
        prepare: () => prepareRuntime(name, setting, directories, settings.cgroupDriver === 'systemd'),
      }),
    ]),
  ) as Runtimes['byName'];
  return {
    byName,
    async close() {
      for (const runtime of Object.values(byName)) runtime.close();
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
