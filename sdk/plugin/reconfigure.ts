import type { DaemonSettings } from '../contracts/daemon-settings';

/** A new configuration, judged and not yet in force. */
export interface ConfigurationChange<C = any> {
  /** The plugin's own section as it will be; the same object as before when it has not changed. */
  readonly config: C;
  /** The daemon's settings as they will be. `context.settings` still shows the old ones. */
  readonly settings: DaemonSettings;
  /** Names of the keys of daemon.json whose values differ, such as `max-concurrent-downloads`. */
  readonly changed: ReadonlySet<string>;
}

/** A change that can be made at once. */
export interface PreparedChange {
  /**
   * Puts the change in force. Called once everybody has prepared, in one go with all others: it must neither wait nor
   * fail, and what runs already goes on as it is.
   */
  commit(): void;
  /** Gives back what was acquired for the change, because somebody else refused it. */
  rollback?(): Promise<void> | void;
  /**
   * All drivers that the plugin has under keys of the configuration (`alsoProvides`) from the commit on; undefined
   * leaves them as they are.
   */
  readonly drivers?: Readonly<Record<string, unknown>>;
}

/**
 * First half of a change: everything that can fail happens here, and nothing changes yet.
 *
 * @returns the second half, or undefined when the change does not concern the plugin
 * @throws  the change cannot be made; the message says what to repair, and the daemon goes on as it was
 */
export type Reconfigure<C = any> = (
  change: ConfigurationChange<C>,
  signal: AbortSignal,
) => Promise<PreparedChange | undefined> | PreparedChange | undefined;
