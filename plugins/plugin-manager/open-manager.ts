import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, DaemonSettings, EventBus, Logger, PluginDoor, PluginImages, Runtime } from '@gantry/sdk';
import { errorMessage } from '@gantry/sdk';
import { PluginManager } from './plugin-manager';
import { PluginRecords } from './records/plugin-records';
import { unmountAllIn } from './run/propagated-mount';
import { RunningPlugins } from './run/running-plugins';

export interface ManagerDeps {
  readonly images: PluginImages;
  readonly runtime: Runtime;
  readonly door: PluginDoor;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly settings: DaemonSettings;
  readonly log: Logger;
  /** A directory for archives under way; emptied at the start. */
  readonly scratch: string;
  /** What new plugins are said to be made with. */
  readonly version: string;
}

/**
 * Reads what is installed, removes what an earlier daemon left half done, and brings the enabled plugins back. Nobody
 * waits for them: those who need one of their drivers do.
 */
export async function openManager(
  deps: ManagerDeps,
): Promise<{ readonly manager: PluginManager; close(): Promise<void> }> {
  const { images, runtime, settings, log, scratch } = deps;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  let broken = false;
  const records = await PluginRecords.open(join(settings.dataRoot, 'plugins'), images, (id, error) => {
    broken = true;
    log.error('the record of a plugin cannot be read; its files are left as they are', {
      plugin: id,
      error: errorMessage(error),
    });
  });
  const running = new RunningPlugins({ ...deps, folderOf: (id) => records.pathOf(id) });
  const manager = new PluginManager(records, running, deps);
  const installed = records.list();
  // A root file system whose record cannot be read must not be taken for nobody's.
  if (!broken) await images.collectRootFilesystems(new Set(installed.map(({ rootId }) => rootId)));
  for (const id of await records.abandoned()) await manager.clear(id);
  const enabled = new Set(installed.filter((plugin) => plugin.enabled).map(({ id }) => id));
  for (const id of await runtime.list()) if (!enabled.has(id)) await runtime.purge(id);
  for (const plugin of installed) {
    if (plugin.enabled) running.bringBack(plugin);
    else await settle(plugin.id, plugin.rootId, plugin.name);
  }
  return { manager, close: () => running.close(settings.liveRestore) };

  /** A daemon that died while it disabled a plugin may have left mounts. */
  async function settle(id: string, rootId: string, name: string): Promise<void> {
    try {
      await unmountAllIn(records.pathOf(id));
      await images.rootFilesystem(rootId).unmount();
    } catch (error) {
      log.warn('a disabled plugin is not whole', { plugin: name, error: errorMessage(error) });
    }
  }
}
