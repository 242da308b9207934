import type { Capability, Requirement } from '@gantry/sdk';
import { type PluginProblem, pluginPointer } from '../plugin-problem';

/** The part of a plugin that the graph is about. */
export interface GraphNode {
  readonly name: string;
  readonly provides: Readonly<Record<string, Capability<any>>>;
  readonly requires: Readonly<Record<string, Requirement>>;
  readonly optional: boolean;
}

export interface PluginGraph {
  /** Dependencies first. */
  readonly order: readonly string[];
  /** Plugin → plugins that must have started before it. */
  readonly dependencies: ReadonlyMap<string, ReadonlySet<string>>;
  /** Plugin → those it cannot run without. */
  readonly mandatory: ReadonlyMap<string, ReadonlySet<string>>;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly problems: readonly PluginProblem[];
}

/** Kinds whose keys are no names that users type, so that two plugins may use the same key. */
const contributions = new Set(['api-routes/v1', 'system-info/v1', 'spec-hook/v1', 'metrics-source/v1']);

export const isContribution = (capabilityId: string): boolean => contributions.has(capabilityId);

export function capabilityOf(need: Requirement): { capability: Capability<any>; mode: 'one' | 'optional' | 'all' } {
  if ('optional' in need) return { capability: need.optional, mode: 'optional' };
  if ('all' in need) return { capability: need.all, mode: 'all' };
  return { capability: need, mode: 'one' };
}

/**
 * Decides who starts when; reports all unmet, ambiguous and cyclic needs at once.
 *
 * @param fromCore  ids of capabilities that the core itself provides
 */
export function resolveGraph(nodes: readonly GraphNode[], fromCore: ReadonlySet<string>): PluginGraph {
  const problems: PluginProblem[] = [];
  const skipped: { name: string; reason: string }[] = [];
  let alive = [...nodes];
  // Dropping an optional plugin may leave others unmet, so look again until nothing changes.
  for (;;) {
    const unmet = alive.flatMap((node) => unmetNeeds(node, alive, fromCore));
    const droppable = unmet.filter(({ node }) => node.optional);
    if (droppable.length === 0) {
      problems.push(...unmet.map(({ node, key, message }) => needProblem(node.name, key, message)));
      break;
    }
    for (const { node, message } of droppable)
      if (!skipped.some((it) => it.name === node.name)) skipped.push({ name: node.name, reason: message });
    alive = alive.filter((node) => !skipped.some((it) => it.name === node.name));
  }
  problems.push(...ambiguities(alive, fromCore));

  const dependencies = new Map<string, Set<string>>();
  const mandatory = new Map<string, Set<string>>();
  for (const node of alive) {
    const before = new Set<string>();
    const needed = new Set<string>();
    for (const need of Object.values(node.requires)) {
      const { capability, mode } = capabilityOf(need);
      for (const other of providersOf(capability.id, alive)) {
        if (other.name === node.name) continue;
        before.add(other.name);
        if (mode === 'one') needed.add(other.name);
      }
    }
    dependencies.set(node.name, before);
    mandatory.set(node.name, needed);
  }
  const { order, cycles } = sorted(alive, dependencies);
  for (const cycle of cycles)
    problems.push({
      plugin: cycle[0]!,
      pointer: pluginPointer(cycle[0]!),
      message: `plugins need each other in a circle: ${[...cycle, cycle[0]!].map((n) => `"${n}"`).join(' needs ')}; switch one of them off`,
    });
  return { order, dependencies, mandatory, skipped, problems };
}

const providersOf = (id: string, nodes: readonly GraphNode[]) =>
  nodes.filter((node) => Object.values(node.provides).some((capability) => capability.id === id));

function unmetNeeds(node: GraphNode, alive: readonly GraphNode[], fromCore: ReadonlySet<string>) {
  return Object.entries(node.requires).flatMap(([key, need]) => {
    const { capability, mode } = capabilityOf(need);
    if (mode !== 'one' || fromCore.has(capability.id)) return [];
    const others = providersOf(capability.id, alive).filter((it) => it.name !== node.name);
    if (others.length > 0) return [];
    return [{ node, key, message: `it needs ${capability.id} ("${key}"), and no plugin provides that` }];
  });
}

const needProblem = (name: string, _key: string, message: string): PluginProblem => ({
  plugin: name,
  pointer: pluginPointer(name),
  message: `plugin "${name}": ${message}`,
});

function ambiguities(nodes: readonly GraphNode[], fromCore: ReadonlySet<string>): PluginProblem[] {
  const problems: PluginProblem[] = [];
  const owners = new Map<string, string>();
  for (const node of nodes)
    for (const [key, capability] of Object.entries(node.provides)) {
      if (capability.arity === 'many' && contributions.has(capability.id)) continue;
      const seat = capability.arity === 'one' ? capability.id : `${capability.id} named "${key}"`;
      const owner = fromCore.has(seat) ? 'the core' : owners.get(seat);
      if (owner === undefined) {
        owners.set(seat, node.name);
        continue;
      }
      problems.push({
        plugin: node.name,
        pointer: pluginPointer(node.name),
        message: `plugin "${node.name}": ${seat} is provided by ${owner === 'the core' ? owner : `"${owner}"`} as well; switch one of them off with "${node.name}": false`,
      });
    }
  return problems;
}

/** Kahn's algorithm by name order; whatever is left over holds at least one cycle. */
function sorted(nodes: readonly GraphNode[], dependencies: ReadonlyMap<string, ReadonlySet<string>>) {
  const order: string[] = [];
  const left = new Set(nodes.map((node) => node.name).sort());
  for (let moved = true; moved; ) {
    moved = false;
    for (const name of left) {
      if ([...(dependencies.get(name) ?? [])].some((before) => left.has(before))) continue;
      order.push(name);
      left.delete(name);
      moved = true;
    }
  }
  return { order, cycles: cyclesAmong(left, dependencies) };
}

function cyclesAmong(left: Set<string>, dependencies: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const cycles: string[][] = [];
  const seen = new Set<string>();
  for (const start of left) {
    const path: string[] = [];
    for (let at: string | undefined = start; at !== undefined && !seen.has(at); ) {
      seen.add(at);
      path.push(at);
      const next: string | undefined = [...(dependencies.get(at) ?? [])].find((name) => left.has(name));
      const loop = next === undefined ? -1 : path.indexOf(next);
      if (loop >= 0) cycles.push(path.slice(loop));
      at = next;
    }
  }
  return cycles;
}
