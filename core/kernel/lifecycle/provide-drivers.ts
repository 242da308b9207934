import type { Capability } from '@gantry/sdk';
import type { DriverRegistry } from '../driver-registry';
import { isContribution } from '../graph/resolve-graph';
import type { PlannedPlugin } from './plan-plugins';

/**
 * Makes what a plugin has returned from its start known under the names it promised.
 *
 * @throws Error  somebody else provides one of them
 */
export function provideDrivers(
  registry: DriverRegistry,
  plugin: PlannedPlugin,
  provided: Readonly<Record<string, unknown>>,
): void {
  const { name, definition } = plugin;
  for (const [key, capability] of Object.entries(definition.provides)) {
    const known = instanceName(name, key, capability);
    const owner = registry.ownerOf(capability.id, known);
    // A plugin that was found on a socket gives way to one that daemon.json names.
    if (owner !== undefined && owner !== name && !owner.startsWith('socket '))
      throw new Error(`${capability.id} named "${key}" is provided by "${owner}" as well`);
    registry.add(capability, known, name, provided[key]);
  }
  provideConfigured(registry, plugin, provided);
}

/** Drivers that are named in the configuration, where no definition can list them. */
function provideConfigured(
  registry: DriverRegistry,
  { name, definition }: PlannedPlugin,
  provided: Readonly<Record<string, unknown>>,
): void {
  const { alsoProvides, provides } = definition;
  if (alsoProvides === undefined) return;
  for (const [key, instance] of Object.entries(provided)) {
    if (Object.hasOwn(provides, key)) continue;
    const owner = registry.ownerOf(alsoProvides.id, key);
    if (owner !== undefined) throw new Error(`${alsoProvides.id} named "${key}" is provided by "${owner}" as well`);
    registry.add(alsoProvides, key, name, instance);
  }
}

/** Drivers are known by the key users type; contributions of several plugins must not hide each other. */
const instanceName = (plugin: string, key: string, capability: Capability<any>): string =>
  isContribution(capability.id) ? `${plugin}/${key}` : key;
