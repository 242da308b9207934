import type { DaemonSettings } from '../contracts/daemon-settings';
import type { Logger } from '../contracts/logger';
import type { Cleanup, Disposable } from '../lifecycle';
import type { Capability, Needs, Provided, Provisions, Requirements } from './capability';
import type { ConfigSchema } from './config-schema';
import type { Reconfigure } from './reconfigure';

/** What `start` is given. Everything else a plugin wants, it declares in `requires`. */
export interface PluginContext<R extends Requirements, C> {
  /** The plugin's own section of daemon.json, parsed by its `config` schema. */
  readonly config: C;
  readonly needs: Needs<R>;
  /** The daemon's effective settings (daemon.json and flags), read-only. */
  readonly settings: DaemonSettings;
  /** A directory of this plugin's own below the data root; exists, mode 0700, survives restarts. */
  readonly stateDir: string;
  /** A directory of this plugin's own below the exec root; exists, emptied by a reboot of the machine. */
  readonly runDir: string;
  readonly log: Logger;
  /** Aborts when the plugin is told to stop or its start deadline passes. */
  readonly signal: AbortSignal;
  /**
   * Registers what must be undone on stop; run last in, first out, also when `start` fails halfway.
   *
   * @param patienceMs  how long this stop may take, asked when it begins. Without it the daemon's own deadline counts
   *                    (`shutdown-timeout` and a little more); a longer patience is granted.
   */
  onStop(cleanup: Cleanup | Disposable, patienceMs?: () => number): void;
  /**
   * Registers who takes over a changed configuration while the plugin runs. `settings` changes in place and needs
   * nobody: only what a plugin has copied or derived from settings or from its own section does.
   */
  onReconfigure(prepare: Reconfigure<C>): void;
}

/**
 * A plugin as data: it can be read without running anything.
 *
 * @property name      kebab-case, unique in a daemon, the key of its section in daemon.json
 * @property version   semver of the plugin
 * @property engine    semver range over the SDK version it is written against
 * @property provides  key = the name users type for a driver; value = the capability
 * @property alsoProvides  a capability of many: further keys that `start` returns, because the configuration names
 *                         them, are drivers of this kind
 * @property requires  capability values; the types of `needs` follow
 */
export interface PluginDefinition<P extends Provisions = Provisions, R extends Requirements = Requirements, C = any> {
  readonly name: string;
  readonly version: string;
  readonly engine: string;
  readonly provides: P;
  readonly alsoProvides?: Capability<any>;
  readonly requires?: R;
  readonly config?: ConfigSchema<C>;
  /** Milliseconds `start` may take; 15,000 when absent. */
  readonly startTimeoutMs?: number;
  start(context: PluginContext<R, C>): Promise<Provided<P>> | Provided<P>;
  /**
   * Called once every plugin has started and before the sockets serve requests: the place to restore
   * what was running. Plugins' `ready` run in dependency order.
   */
  ready?(context: PluginContext<R, C>): Promise<void> | void;
}

/** Makes the definition of a plugin; the types of `config`, `needs` and the result of `start` follow from it. */
export function definePlugin<P extends Provisions, R extends Requirements = Record<never, never>, C = undefined>(
  definition: PluginDefinition<P, R, C>,
): PluginDefinition<P, R, C> {
  return Object.freeze({ ...definition });
}
