import { setImmediate } from 'node:timers/promises';
import { errorMessage, nearestKey, type PluginDefinition } from '@gantry/sdk';
import type { PluginEntry } from '../../config/plugin-entry';
import { describeIsolated, isolatedPlugin } from '../isolation/isolated-plugin';
import { checkDefinition } from '../manifest/check-definition';
import { type PluginProblem, pluginPointer } from '../plugin-problem';
import { importModule } from './import-module';

/** A plugin that could be loaded, and what daemon.json says about it. */
export interface LoadedPlugin {
  readonly name: string;
  readonly definition: PluginDefinition;
  /** Its section's `config`; undefined when there is none. */
  readonly config: unknown;
  readonly optional: boolean;
  readonly origin: 'bundled' | 'module';
}

export interface SkippedPlugin {
  readonly name: string;
  readonly reason: string;
}

/** A plugin of somebody else's process. */
export interface SocketPlugin {
  readonly name: string;
  readonly address: string;
  readonly optional: boolean;
}

export interface LoadResult {
  readonly plugins: readonly LoadedPlugin[];
  readonly sockets: readonly SocketPlugin[];
  readonly skipped: readonly SkippedPlugin[];
  readonly problems: readonly PluginProblem[];
}

/**
 * Loads the definitions of the bundled plugins and of those daemon.json names. Nothing is started.
 *
 * @param searchFrom  directories that names and relative paths of modules are resolved from, in this order
 */
export async function loadPlugins(
  bundled: readonly string[],
  entries: Readonly<Record<string, PluginEntry>>,
  searchFrom: readonly string[],
): Promise<LoadResult> {
  const plugins: LoadedPlugin[] = [];
  const sockets: SocketPlugin[] = [];
  const skipped: SkippedPlugin[] = [];
  const problems: PluginProblem[] = [];
  const names = [...new Set([...bundled, ...Object.keys(entries)])];
  for (const name of names) {
    const entry = entries[name];
    if (entry === false) {
      skipped.push({ name, reason: 'switched off in daemon.json' });
      continue;
    }
    if (entry?.socket !== undefined) {
      sockets.push({ name, address: entry.socket, optional: entry.optional });
      continue;
    }
    const optional = entry?.optional ?? false;
    const fail = (message: string) => {
      if (optional) skipped.push({ name, reason: message });
      else problems.push({ plugin: name, pointer: pluginPointer(name), message: `plugin "${name}": ${message}` });
    };
    const isBundled = bundled.includes(name) && entry?.module === undefined;
    if (!isBundled && entry?.module === undefined) {
      const near = nearestKey(name, bundled);
      fail(
        `no bundled plugin has this name${near ? `; did you mean "${near}"? Otherwise` : ';'} name its package or path with "module", or its socket with "socket". Bundled are: ${bundled.join(', ')}`,
      );
      continue;
    }
    // Loading is synchronous work: let what waits on sockets and timers have its turn in between.
    await setImmediate();
    try {
      const specifier = entry?.module ?? `@gantry/plugin-${name}`;
      if (entry?.isolation === 'process') {
        const from = isBundled ? [__dirname] : searchFrom;
        const pointer = `${pluginPointer(name)}/config`;
        const module = { name, specifier, searchFrom: from, config: entry.config, pointer };
        const described = await describeIsolated(module);
        if ('problems' in described) {
          for (const { pointer: at, message } of described.problems)
            if (optional) skipped.push({ name, reason: message });
            else problems.push({ plugin: name, pointer: at, message: `plugin "${name}": ${message}` });
          continue;
        }
        const { memory, ...others } = entry.limits ?? {};
        const limits = entry.limits && { ...others, memoryBytes: memory };
        const definition = isolatedPlugin(module, described, limits);
        plugins.push({ name, definition, config: entry.config, optional, origin: isBundled ? 'bundled' : 'module' });
        continue;
      }
      const exported = await importModule(specifier, isBundled ? [__dirname] : searchFrom);
      const checked = checkDefinition(exported, name);
      if ('problems' in checked) for (const problem of checked.problems) fail(problem);
      else
        plugins.push({
          name,
          definition: checked.definition,
          config: entry?.config,
          optional,
          origin: isBundled ? 'bundled' : 'module',
        });
    } catch (error) {
      fail(errorMessage(error));
    }
  }
  return { plugins, sockets, skipped, problems };
}
