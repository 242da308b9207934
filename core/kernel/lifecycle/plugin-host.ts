import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CleanupStack,
  type DaemonSettings,
  errorMessage,
  type Logger,
  type PluginContext,
  type Reconfigure,
  waitAtMost,
  withDeadline,
} from '@gantry/sdk';
import type { BootReport } from '../boot-report';
import type { DriverRegistry } from '../driver-registry';
import { capabilityOf } from '../graph/resolve-graph';
import { isIsolated } from '../isolation/isolated-plugin';
import { PluginSetError, pluginPointer } from '../plugin-problem';
import { isSupervised } from '../supervisor/call-limits';
import type { SupervisedPlugin } from '../supervisor/supervised-plugin';
import type { Supervisor } from '../supervisor/supervisor';
import type { PlannedPlugin, PluginPlan } from './plan-plugins';
import { prepareChange } from './prepare-change';
import { provideDrivers } from './provide-drivers';

const defaultStartTimeoutMs = 15_000;

/** Timers of a longer time fire at once. */
const longestTimerMs = 2 ** 31 - 1;
/** How long the calls of a plugin that is replaced may take to end. */
const drainMs = 130_000;
/** How long others wait for an optional plugin: enough for one that is well, little for one that hangs. */
const optionalPatienceMs = 250;
/** `ready` restores what was running, and takes as long as there are containers. */
const readyTimeoutMs = 120_000;

interface Running {
  readonly plugin: PlannedPlugin;
  readonly context: PluginContext<any, any>;
  readonly controller: AbortController;
  readonly undo: CleanupStack;
  readonly handlers: readonly Reconfigure[];
  /** How long its stop may take, where it wants to have a say. */
  readonly patience: readonly (() => number)[];
  /** What `start` has returned. */
  readonly provided: Readonly<Record<string, unknown>>;
  readonly startMs: number;
  readyMs: number;
}

/** Starts a planned set of plugins, and stops it again. */
export class PluginHost {
  /** In the order in which they started. */
  private readonly running: Running[] = [];
  private readonly skipped: { name: string; reason: string }[] = [];
  /** Optional ones that still start while the daemon serves. */
  private readonly late = new Set<string>();
  private readonly starting = new AbortController();

  constructor(
    private readonly deps: {
      readonly registry: DriverRegistry;
      readonly settings: DaemonSettings;
      readonly log: Logger;
      /** An optional plugin has joined after the start: the contributions of plugins are others now. */
      readonly onLateStart?: () => void;
      readonly supervisor?: Supervisor;
    },
  ) {}

  /**
   * Starts every plugin as soon as those it depends on have started. When one that is not optional fails, all that
   * started are stopped again. Optional ones get a moment; one that takes longer joins the others when it is done.
   *
   * @throws PluginSetError  naming every plugin that failed
   */
  async start(plan: PluginPlan): Promise<void> {
    this.skipped.push(...plan.skipped);
    const failed = new Map<string, string>();
    const abort = this.starting;
    // Every plugin that starts listens, which is no leak.
    setMaxListeners(0, abort.signal);
    const outcomes = new Map<string, Promise<void>>();
    const isOptional = new Map(plan.plugins.map(({ name, optional }) => [name, optional]));
    for (const plugin of plan.plugins) {
      const before = [...plugin.dependencies].map((name) => {
        const outcome = outcomes.get(name) ?? Promise.resolve();
        return isOptional.get(name) && !plugin.mandatory.has(name) ? orPatience(outcome) : outcome;
      });
      outcomes.set(
        plugin.name,
        Promise.all(before).then(async () => {
          const lost = [...plugin.mandatory].find((name) => failed.has(name));
          try {
            if (lost !== undefined) throw new Error(`it needs "${lost}", which is not running`);
            if (abort.signal.aborted) throw new Error('the start of the daemon was given up');
            const started = await this.startOne(plugin, abort.signal);
            await this.admitOrUndo(started);
            if (this.late.has(plugin.name)) await this.joinLate(started);
          } catch (error) {
            failed.set(plugin.name, errorMessage(error));
            this.deps.log.debug('plugin failed to start', { plugin: plugin.name, error });
            if (!plugin.optional) abort.abort(error);
            else this.skip(plugin.name, errorMessage(error));
          }
        }),
      );
    }
    await Promise.all(plan.plugins.filter(({ optional }) => !optional).map(({ name }) => outcomes.get(name)));
    await orPatience(Promise.all(outcomes.values()));
    const fatal = plan.plugins.filter((plugin) => failed.has(plugin.name) && !plugin.optional);
    if (fatal.length === 0) {
      for (const { name } of plan.plugins) if (!failed.has(name) && !this.runs(name)) this.late.add(name);
      for (const name of this.late)
        this.deps.log.warn(
          `optional plugin "${name}" is still starting: the daemon serves without it until it is done`,
        );
      return;
    }
    await this.stop(defaultStartTimeoutMs);
    throw new PluginSetError(
      fatal.map((plugin) => ({
        plugin: plugin.name,
        pointer: pluginPointer(plugin.name),
        message: `plugin "${plugin.name}" did not start: ${failed.get(plugin.name)}`,
      })),
    );
  }

  /**
   * Runs the `ready` hooks, dependencies first. Those of optional plugins get a moment, and go on beside the others.
   *
   * @throws PluginSetError  a plugin that is not optional failed; everything has been stopped
   */
  async ready(): Promise<void> {
    for (const it of [...this.running]) {
      const { name, optional } = it.plugin;
      if (optional) {
        await orPatience(this.makeReady(it).catch((error) => this.deps.log.warn(errorMessage(error))));
        continue;
      }
      try {
        await this.makeReady(it);
      } catch (error) {
        await this.stop(defaultStartTimeoutMs);
        throw new PluginSetError([{ plugin: name, pointer: pluginPointer(name), message: errorMessage(error) }]);
      }
    }
  }

  private async makeReady(it: Running): Promise<void> {
    const { definition, name } = it.plugin;
    if (definition.ready === undefined) return;
    const startedAt = performance.now();
    try {
      await withDeadline(`ready of plugin "${name}"`, readyTimeoutMs, async () => definition.ready!(it.context));
    } catch (error) {
      this.deps.log.debug('plugin failed to become ready', { plugin: name, error });
      throw new Error(`plugin "${name}" did not become ready: ${errorMessage(error)}`, { cause: error });
    } finally {
      it.readyMs = performance.now() - startedAt;
    }
  }

  /** Its drivers are in the live sets of the others already; its routes are looked at anew. */
  private async joinLate(it: Running): Promise<void> {
    const { name } = it.plugin;
    this.late.delete(name);
    await this.makeReady(it).catch((error) => this.deps.log.warn(errorMessage(error)));
    this.deps.log.info('plugin started late', { plugin: name, ms: Math.round(it.startMs) });
    this.deps.onLateStart?.();
  }

  private skip(name: string, reason: string): void {
    this.skipped.push({ name, reason });
    // Those that fail in time are told by the report of the start.
    if (this.late.delete(name)) this.deps.log.warn('plugin skipped', { plugin: name, reason });
  }

  private runs(name: string): boolean {
    return this.running.some(({ plugin }) => plugin.name === name);
  }

  /** Stops in reverse. A plugin that does not end within the deadline is left behind with a warning. Never throws. */
  async stop(deadlineMs: number): Promise<void> {
    const endsAt = performance.now() + deadlineMs;
    this.starting.abort(new Error('the daemon stops'));
    for (let it = this.running.pop(); it !== undefined; it = this.running.pop()) {
      const asked = it.patience.map((patienceMs) => patienceMs());
      const left = Math.max(100, endsAt - performance.now(), ...asked);
      await this.stopOne(it, Math.min(left, longestTimerMs));
    }
  }

  /**
   * Lets every running plugin prepare for other settings, in the order in which they started.
   *
   * @throws Error  one of them refuses; nobody has changed anything
   */
  prepareChange(
    settings: DaemonSettings,
    changed: ReadonlySet<string>,
  ): Promise<{ commit(): void; rollback(): Promise<void> }> {
    const plugins = this.running.map(({ plugin, handlers }) => ({ ...plugin, handlers }));
    return prepareChange(plugins, { settings, changed }, this.deps);
  }

  report(): BootReport {
    return {
      started: this.running.map(({ plugin, startMs, readyMs }) => ({
        name: plugin.name,
        version: plugin.definition.version,
        startMs,
        readyMs,
        provides: Object.entries(plugin.definition.provides).map(([key, capability]) =>
          capability.arity === 'one' ? capability.id : `${capability.id} ${key}`,
        ),
      })),
      skipped: this.skipped,
    };
  }

  private async startOne(plugin: PlannedPlugin, giveUp: AbortSignal): Promise<Running> {
    const { definition, name } = plugin;
    this.deps.log.debug('plugin loaded', { plugin: name, version: definition.version, engine: definition.engine });
    const controller = new AbortController();
    const undo = new CleanupStack();
    const handlers: Reconfigure[] = [];
    const patience: (() => number)[] = [];
    const startedAt = performance.now();
    const forward = () => controller.abort(giveUp.reason);
    giveUp.addEventListener('abort', forward, { once: true });
    try {
      const context = await this.contextFor(plugin, controller.signal, { undo, handlers, patience });
      const provided = (await withDeadline(
        `start of plugin "${name}"`,
        definition.startTimeoutMs ?? defaultStartTimeoutMs,
        async () => definition.start(context),
        giveUp,
      )) as Record<string, unknown>;
      if (giveUp.aborted) throw new Error('it started when the daemon had given up');
      for (const [key, capability] of Object.entries(definition.provides)) {
        const instance = provided?.[key];
        if (instance === undefined || instance === null)
          throw new Error(`"start" returned nothing for "${key}" (${capability.id}), which it says it provides`);
      }
      const startMs = performance.now() - startedAt;
      const started = { plugin, context, controller, undo, handlers, patience, provided, startMs, readyMs: 0 };
      this.deps.log.debug('plugin started', { plugin: name, version: definition.version, ms: Math.round(startMs) });
      return started;
    } catch (error) {
      controller.abort(error);
      for (const failure of await undo.runAll())
        this.deps.log.warn('cleaning up after a failed plugin failed', { plugin: name, error: failure });
      throw error;
    } finally {
      giveUp.removeEventListener('abort', forward);
    }
  }

  private async admitOrUndo(started: Running): Promise<void> {
    try {
      this.admit(started);
    } catch (error) {
      this.deps.registry.removeOwner(started.plugin.name);
      await this.undoStart(started);
      throw error;
    }
  }

  /** Makes what a plugin provides known to the others. */
  private admit(started: Running, at = this.running.length): void {
    const { plugin, provided } = started;
    provideDrivers(this.deps.registry, plugin, provided);
    this.running.splice(at, 0, started);
    this.tellSupervisor(plugin);
  }

  /**
   * Starts the next generation of a plugin, or none, beside the one that runs. Calls that are under way end on the old
   * one; it is stopped when they have.
   *
   * @throws what starting throws; nothing has changed then
   */
  async prepareReplacement(
    name: string,
    next: PlannedPlugin | undefined,
  ): Promise<{ commit(): void; rollback(): Promise<void> }> {
    const started = next && (await this.startOne(next, this.starting.signal));
    try {
      if (started !== undefined) await this.makeReady(started);
    } catch (error) {
      await this.stopOne(started!, defaultStartTimeoutMs);
      throw error;
    }
    return {
      commit: () => {
        const at = this.running.findIndex(({ plugin }) => plugin.name === name);
        const [old] = at < 0 ? [] : this.running.splice(at, 1);
        const calls = this.deps.supervisor?.retire(name);
        this.deps.registry.removeOwner(name);
        if (started !== undefined) this.admit(started, at < 0 ? undefined : at);
        if (old !== undefined) void this.retire(old, calls);
      },
      rollback: () => (started === undefined ? Promise.resolve() : this.undoStart(started)),
    };
  }

  /** Why a plugin that runs, or one that is to run, cannot come or go before a restart; undefined when it can. */
  fixedBecause(name: string, next: PlannedPlugin | undefined): string | undefined {
    const old = this.running.find(({ plugin }) => plugin.name === name)?.plugin;
    for (const { definition } of [old, next].filter((it) => it !== undefined))
      for (const { id } of Object.values(definition.provides)) if (!isSupervised(id)) return `it provides ${id}`;
    const user = this.running.find(({ plugin }) => plugin.mandatory.has(name));
    return user && `"${user.plugin.name}" needs it`;
  }

  private async retire(old: Running, calls: SupervisedPlugin | undefined): Promise<void> {
    const left = (await calls?.drain(drainMs)) ?? 0;
    if (left > 0)
      this.deps.log.warn('calls of a replaced plugin did not end', { plugin: old.plugin.name, calls: left });
    await this.undoStart(old);
    this.deps.log.info('the old generation of a plugin has ended', { plugin: old.plugin.name });
  }

  private tellSupervisor({ name, definition }: PlannedPlugin): void {
    this.deps.supervisor?.runs(name, {
      door: isIsolated(definition) ? 'isolated' : 'in process',
      version: definition.version,
      provides: Object.entries(definition.provides).map(([key, { id, arity }]) =>
        arity === 'one' ? id : `${id} ${key}`,
      ),
      restarts: isIsolated(definition) ? definition.restarts : undefined,
    });
  }

  private async contextFor(
    plugin: PlannedPlugin,
    signal: AbortSignal,
    { undo, handlers, patience }: { undo: CleanupStack; handlers: Reconfigure[]; patience: (() => number)[] },
  ): Promise<PluginContext<any, any>> {
    const { settings, registry, log } = this.deps;
    const stateDir = join(settings.dataRoot, plugin.name);
    const runDir = join(settings.execRoot, plugin.name);
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    const needs: Record<string, unknown> = {};
    for (const [key, need] of Object.entries(plugin.definition.requires ?? {})) {
      const { capability, mode } = capabilityOf(need);
      needs[key] = mode === 'all' ? registry.all(capability) : registry.one(capability);
    }
    return Object.freeze({
      config: plugin.config,
      needs: Object.freeze(needs),
      settings,
      stateDir,
      runDir,
      log: log.child({ plugin: plugin.name }),
      signal,
      onStop: (cleanup, patienceMs) => {
        undo.push(cleanup);
        if (patienceMs !== undefined) patience.push(patienceMs);
        // A start that goes on after its deadline: what it acquires now has nobody else to give it back.
        if (signal.aborted) void undo.runAll();
      },
      onReconfigure: (prepare) => void handlers.push(prepare),
    });
  }

  private async stopOne(it: Running, deadlineMs: number): Promise<void> {
    await this.undoStart(it, deadlineMs);
    this.deps.registry.removeOwner(it.plugin.name);
  }

  private async undoStart(it: Running, deadlineMs = defaultStartTimeoutMs): Promise<void> {
    const { name } = it.plugin;
    it.controller.abort(new Error('the plugin is told to stop'));
    try {
      const failures = await withDeadline(`stop of plugin "${name}"`, deadlineMs, () => it.undo.runAll());
      for (const error of failures) this.deps.log.warn('stopping a plugin failed', { plugin: name, error });
    } catch (error) {
      this.deps.log.warn(errorMessage(error), { plugin: name });
    }
  }
}

/** Ends with the work, or after the patience that an optional plugin deserves. */
const orPatience = (work: Promise<unknown>): Promise<void> => waitAtMost(optionalPatienceMs, work);
