import type { PluginDefinition } from '@gantry/sdk';
import { resolveGraph } from '../graph/resolve-graph';
import type { LoadResult, SocketPlugin } from '../loader/load-plugins';
import { type PluginProblem, pluginPointer } from '../plugin-problem';

export interface PlannedPlugin {
  readonly name: string;
  readonly definition: PluginDefinition;
  /** Parsed by the plugin's own schema. */
  readonly config: unknown;
  readonly optional: boolean;
  readonly dependencies: ReadonlySet<string>;
  readonly mandatory: ReadonlySet<string>;
}

/** What will be started, in an order that respects every need. */
export interface PluginPlan {
  readonly plugins: readonly PlannedPlugin[];
  /** Plugins of other processes. */
  readonly sockets: readonly SocketPlugin[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Judges a loaded set as a whole: the graph, and every plugin's own configuration, before anything starts.
 *
 * @returns the plan, or everything that is wrong
 */
export function planPlugins(
  loaded: LoadResult,
  fromCore: ReadonlySet<string>,
): { readonly plan: PluginPlan } | { readonly problems: readonly PluginProblem[] } {
  const problems: PluginProblem[] = [...loaded.problems];
  const skipped = [...loaded.skipped];
  const graph = resolveGraph(
    loaded.plugins.map(({ name, definition, optional }) => ({
      name,
      provides: definition.provides,
      requires: definition.requires ?? {},
      optional,
    })),
    fromCore,
  );
  problems.push(...graph.problems);
  skipped.push(...graph.skipped);

  const configs = new Map<string, unknown>();
  for (const plugin of loaded.plugins) {
    const pointer = `${pluginPointer(plugin.name)}/config`;
    const { config: schema } = plugin.definition;
    if (schema === undefined) {
      if (plugin.config !== undefined)
        problems.push({ plugin: plugin.name, pointer, message: `plugin "${plugin.name}" takes no configuration` });
      continue;
    }
    const result = schema.parse(plugin.config ?? {}, pointer);
    if (result.ok) configs.set(plugin.name, result.value);
    else
      for (const problem of result.problems)
        problems.push({
          plugin: plugin.name,
          pointer: problem.pointer,
          message: `plugin "${plugin.name}": ${problem.message}`,
        });
  }
  if (problems.length > 0) return { problems };
  const byName = new Map(loaded.plugins.map((plugin) => [plugin.name, plugin]));
  return {
    plan: {
      skipped,
      sockets: loaded.sockets,
      plugins: graph.order.map((name) => {
        const { definition, optional } = byName.get(name)!;
        return {
          name,
          definition,
          optional,
          config: configs.get(name),
          dependencies: graph.dependencies.get(name)!,
          mandatory: graph.mandatory.get(name)!,
        };
      }),
    },
  };
}
