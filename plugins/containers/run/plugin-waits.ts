import { type AbsentPlugin, absentPlugin, errorMessage } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from './container';
import { startLocked } from './start-container';

/** How long to wait between two tries; a plugin that has come is used within seconds. */
const pauseMs = 1500;

/** Containers that cannot start because a plugin is not there, with that plugin. */
export type PluginWaits = Map<Container, AbsentPlugin>;

/**
 * Starts a container that its restart policy wants to run. When a plugin it needs is not there, it waits for that
 * plugin, and says so: as "restarting", with the reason in its state. A user's start, stop or removal ends the wait.
 *
 * @throws whatever else keeps it from starting
 */
export async function startWhenPluginsCome(container: Container, engine: Engine): Promise<void> {
  const delay = new AbortController();
  container.restartDelay?.abort();
  container.restartDelay = delay;
  const isOver = () => delay.signal.aborted || engine.stopping;
  try {
    for (let isWaiting = false; !isOver(); ) {
      const cause = await engine.locks.run(container.id, async () => {
        if (isOver() || (isWaiting && container.state.status !== 'restarting')) return undefined;
        return tryToStart(container, engine);
      });
      if (cause === undefined) return;
      if (!isWaiting)
        engine.log.warn('a container waits for a plugin', {
          id: container.id,
          plugin: cause.name,
          reason: container.state.error,
        });
      isWaiting = true;
      await engine.clock.sleep(pauseMs, delay.signal).catch(() => undefined);
    }
  } finally {
    engine.pluginWaits.delete(container);
  }
}

/** @returns the plugin it needs and that is not there */
async function tryToStart(container: Container, engine: Engine): Promise<AbsentPlugin | undefined> {
  try {
    await startLocked(container, engine, new AbortController().signal);
    return undefined;
  } catch (error) {
    const plugin = absentPlugin(error);
    if (plugin === undefined) throw error;
    engine.pluginWaits.set(container, plugin);
    container.change({ to: 'waiting', error: reason(container, plugin, error, engine) });
    return plugin;
  }
}

function reason(container: Container, plugin: AbsentPlugin, error: unknown, engine: Engine): string {
  const cycle = cycleOf(container, engine);
  if (cycle.length > 0) {
    const words = cycle.map(
      (one) => `container ${one.record.name} needs plugin "${engine.pluginWaits.get(one)!.name}"`,
    );
    return `waits for plugin "${plugin.name}" in a cycle that cannot end: ${words.join(', which is brought by the next: ')}. Start one of them without its plugin`;
  }
  const stopped = bringersOf(plugin, engine).filter(
    ({ state }) => state.status === 'created' || state.status === 'exited',
  );
  const hint =
    stopped.length === 0 ? '' : ` (it may be brought by container ${stopped[0]!.record.name}, which does not run)`;
  return `waits for plugin "${plugin.name}"${hint}: ${errorMessage(error)}`;
}

/** Containers that can make the plugin's socket, as far as their binds tell. */
function bringersOf({ address = '' }: AbsentPlugin, engine: Engine): Container[] {
  const path = address.replace(/^unix:\/\//, '');
  if (!path.startsWith('/')) return [];
  return engine.index
    .all()
    .filter(({ record }) =>
      record.mounts.some(
        ({ type, source }) => type === 'bind' && `${path}/`.startsWith(source === '/' ? source : `${source}/`),
      ),
    );
}

/**
 * The way from a container over the bringers of what is waited for, back to where it has been: only when each plugin on
 * it can come from waiting containers alone.
 */
export function cycleOf(from: Container, engine: Engine): Container[] {
  const path: Container[] = [];
  for (let at: Container | undefined = from; at !== undefined && !path.includes(at); ) {
    path.push(at);
    const plugin = engine.pluginWaits.get(at);
    const bringers: Container[] = plugin === undefined ? [] : bringersOf(plugin, engine);
    if (bringers.length === 0 || !bringers.every((one) => engine.pluginWaits.has(one))) return [];
    at = bringers.find((one) => !path.includes(one) || one === from) ?? bringers[0];
  }
  return path;
}
