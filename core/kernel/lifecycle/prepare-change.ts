import {
  type ConfigurationChange,
  errorMessage,
  type Logger,
  type PluginDefinition,
  type PreparedChange,
  type Reconfigure,
  withDeadline,
} from '@gantry/sdk';
import type { DriverRegistry } from '../driver-registry';

const prepareTimeoutMs = 10_000;

/** A running plugin, as far as a change of the configuration concerns it. */
export interface Reconfigurable {
  readonly name: string;
  readonly definition: PluginDefinition;
  readonly config: unknown;
  /** What it has registered with `onReconfigure`. */
  readonly handlers: readonly Reconfigure[];
}

/**
 * Asks every plugin for its part of a change, in the given order. When one refuses, the others give back what they
 * have prepared.
 *
 * @returns the way to make the change, or to give it up
 * @throws Error  the first refusal, naming the plugin
 */
export async function prepareChange(
  plugins: readonly Reconfigurable[],
  change: Omit<ConfigurationChange, 'config'>,
  deps: { readonly registry: DriverRegistry; readonly log: Logger },
): Promise<{ commit(): void; rollback(): Promise<void> }> {
  const prepared: { readonly plugin: Reconfigurable; readonly part: PreparedChange }[] = [];
  const rollback = async () => {
    for (const { plugin, part } of prepared.reverse()) await giveUp(plugin.name, part, deps.log);
  };
  for (const plugin of plugins)
    for (const handler of plugin.handlers) {
      const work = (signal: AbortSignal) => Promise.resolve(handler({ ...change, config: plugin.config }, signal));
      let late = false;
      try {
        const part = await withDeadline(
          `the reconfiguration of plugin "${plugin.name}"`,
          prepareTimeoutMs,
          (signal) => {
            const running = work(signal);
            // An answer that comes after its deadline is not used by anybody, and must not leave anything behind.
            void running.then(
              (part) => (late && part ? giveUp(plugin.name, part, deps.log) : undefined),
              () => undefined,
            );
            return running;
          },
        );
        if (part !== undefined) prepared.push({ plugin, part });
        for (const key of Object.keys(part?.drivers ?? {})) assertFree(plugin, key, deps.registry);
      } catch (error) {
        late = true;
        await rollback();
        throw new Error(`plugin "${plugin.name}": ${errorMessage(error)}`, { cause: error });
      }
    }
  return {
    commit() {
      for (const { plugin, part } of prepared)
        try {
          part.commit();
          if (part.drivers !== undefined) replaceConfigured(plugin, part.drivers, deps.registry);
        } catch (error) {
          deps.log.error('a plugin failed to put the new configuration in force', { plugin: plugin.name, error });
        }
    },
    rollback,
  };
}

async function giveUp(plugin: string, part: PreparedChange, log: Logger): Promise<void> {
  try {
    await part.rollback?.();
  } catch (error) {
    log.warn('a plugin failed to give up a new configuration', { plugin, error });
  }
}

function assertFree({ name, definition }: Reconfigurable, key: string, registry: DriverRegistry): void {
  const { alsoProvides } = definition;
  if (alsoProvides === undefined) throw new Error('it brings drivers, and its definition has no "alsoProvides"');
  const owner = registry.ownerOf(alsoProvides.id, key);
  if (owner !== undefined && owner !== name)
    throw new Error(`${alsoProvides.id} named "${key}" is provided by "${owner}" as well`);
}

/** Drivers under names of the configuration come and go; those the definition promises stay. */
function replaceConfigured(
  { name, definition }: Reconfigurable,
  drivers: Readonly<Record<string, unknown>>,
  registry: DriverRegistry,
): void {
  const { alsoProvides, provides } = definition;
  if (alsoProvides === undefined) return;
  for (const [key] of registry.all(alsoProvides).entries()) {
    const isOurs = registry.ownerOf(alsoProvides.id, key) === name && !Object.hasOwn(provides, key);
    if (isOurs && !Object.hasOwn(drivers, key)) registry.remove(alsoProvides.id, key);
  }
  for (const [key, instance] of Object.entries(drivers))
    if (!Object.hasOwn(provides, key)) registry.add(alsoProvides, key, name, instance);
}
