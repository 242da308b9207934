import type { EventBus, Logger } from '@gantry/sdk';
import type { CallWatcher } from '../watched-instance';
import type { BreakerSettings } from './circuit-breaker';
import { type HealthListener, SupervisedPlugin } from './supervised-plugin';

/** How the daemon reaches a plugin. */
export type PluginDoor = 'in process' | 'isolated' | 'socket' | 'managed';

/** What is known about a plugin beyond its calls. */
export interface PluginFacts {
  readonly door: PluginDoor;
  readonly version?: string;
  /** `volume-driver/v1 local`, … */
  readonly provides: readonly string[];
  /** How often its process was started again. */
  readonly restarts?: () => number;
}

/** A plugin as `gantryd plugins` shows it. */
export interface PluginState extends Omit<PluginFacts, 'restarts'> {
  readonly name: string;
  readonly state: 'running' | 'not answering' | 'skipped';
  readonly since: string;
  readonly calls: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly slowestMs: number;
  readonly restarts: number;
  readonly lastError?: string;
  /** By name, such as `volume-driver.create`; only those that were called. */
  readonly methods: readonly MethodState[];
}

/** The calls of one method. */
export interface MethodState {
  readonly method: string;
  readonly calls: number;
  readonly failed: number;
  readonly meanMs: number;
  readonly slowestMs: number;
}

export interface SupervisorDeps {
  readonly events: EventBus;
  readonly log: Logger;
  readonly breaker?: BreakerSettings;
}

/** Watches over the calls of all drivers, whatever door they are behind. */
export class Supervisor implements HealthListener {
  private readonly plugins = new Map<string, SupervisedPlugin>();
  private readonly facts = new Map<string, PluginFacts>();
  private readonly skipped = new Map<string, string>();
  private readonly unreached = new Map<string, string>();

  constructor(private readonly deps: SupervisorDeps) {}

  readonly watchCall: CallWatcher = (plugin, method) => this.of(plugin).watch(method);

  of(name: string): SupervisedPlugin {
    let plugin = this.plugins.get(name);
    if (plugin === undefined) {
      plugin = new SupervisedPlugin(name, this, this.deps.breaker);
      this.plugins.set(name, plugin);
    }
    return plugin;
  }

  /** @param probe asks a plugin of another process whether it is there */
  runs(name: string, facts: PluginFacts, probe?: () => Promise<unknown>): void {
    const known = this.facts.get(name);
    const provides = known?.door === 'socket' ? [...new Set([...known.provides, ...facts.provides])] : facts.provides;
    this.facts.set(name, { ...facts, provides });
    this.skipped.delete(name);
    this.unreached.delete(name);
    this.of(name).probe = probe;
  }

  isSkipped(name: string, reason: string): void {
    this.skipped.set(name, reason);
  }

  /** A plugin on a socket was not reached. */
  isUnreached(name: string, reason: string): void {
    if (!this.facts.has(name)) this.unreached.set(name, reason);
  }

  /** The plugin is replaced or goes. @returns its calls, those under way among them */
  retire(name: string): SupervisedPlugin | undefined {
    const old = this.plugins.get(name);
    old?.stopProbing();
    this.forget(name);
    return old;
  }

  /** It is not part of the plugin set any more. */
  private forget(name: string): void {
    for (const map of [this.plugins, this.facts, this.skipped, this.unreached]) map.delete(name);
  }

  /** The daemon stops. */
  close(): void {
    for (const plugin of this.plugins.values()) plugin.stopProbing();
  }

  /** Those that do not answer now. */
  get silent(): readonly SupervisedPlugin[] {
    return [...this.plugins.values()].filter(({ answers }) => !answers);
  }

  /** What GET /info says about them. */
  info(): Record<string, unknown> {
    const warnings = this.silent.map(
      ({ name, lastError }) => `WARNING: plugin "${name}" does not answer: ${lastError}`,
    );
    return warnings.length > 0 ? { Warnings: warnings } : {};
  }

  states(): PluginState[] {
    const names = [...new Set([...this.facts.keys(), ...this.skipped.keys(), ...this.unreached.keys()])].sort();
    return names.map((name) => this.stateOf(name));
  }

  onHealth(plugin: SupervisedPlugin, healthy: boolean): void {
    const { log, events } = this.deps;
    if (healthy) log.info('plugin answers again', { plugin: plugin.name });
    else log.warn('plugin does not answer', { plugin: plugin.name, error: plugin.lastError });
    events.publish({
      type: 'plugin',
      action: healthy ? 'health_status: healthy' : 'health_status: unhealthy',
      actor: { id: plugin.name, attributes: { name: plugin.name } },
    });
  }

  private stateOf(name: string): PluginState {
    const facts = this.facts.get(name);
    const plugin = this.plugins.get(name);
    const counts = [...(plugin?.methods.values() ?? [])];
    const skipped = facts === undefined ? this.skipped.get(name) : undefined;
    const unreached = this.unreached.get(name);
    return {
      name,
      door: facts?.door ?? (unreached === undefined ? 'in process' : 'socket'),
      version: facts?.version,
      provides: facts?.provides ?? [],
      state:
        skipped !== undefined
          ? 'skipped'
          : unreached !== undefined || plugin?.answers === false
            ? 'not answering'
            : 'running',
      since: (plugin?.since ?? new Date()).toISOString(),
      calls: counts.reduce((sum, { calls }) => sum + calls, 0),
      failed: counts.reduce((sum, { failed }) => sum + failed, 0),
      inFlight: plugin?.inFlight ?? 0,
      slowestMs: Math.round(Math.max(0, ...counts.map(({ slowestMs }) => slowestMs))),
      restarts: facts?.restarts?.() ?? 0,
      lastError: skipped ?? unreached ?? plugin?.lastError,
      methods: [...(plugin?.methods ?? [])]
        .map(([method, { calls, failed, totalMs, slowestMs }]) => ({
          method,
          calls,
          failed,
          meanMs: Math.round((totalMs / calls) * 10) / 10,
          slowestMs: Math.round(slowestMs),
        }))
        .sort((a, b) => (a.method < b.method ? -1 : 1)),
    };
  }
}
