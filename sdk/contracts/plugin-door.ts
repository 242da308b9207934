import { capability } from '../plugin/capability';

/** A plugin that runs and listens, offered to everybody who uses drivers. */
export interface OfferedPlugin {
  /** The name its drivers are known by, with its tag: `acme/nfs:latest`. Without `:latest` it is found as well. */
  readonly name: string;
  /** Absolute path of its socket. */
  readonly socketPath: string;
  /** What it says it is, lower case: `volumedriver`, `networkdriver`, `logdriver`, `authz` … */
  readonly kinds: readonly string[];
  /** Deadline of each call in milliseconds, streams excepted; 0 = those of the methods (P-CALL-6). */
  readonly timeoutMs: number;
  /** Turns a path as the plugin sees it into a host path (P-PROP-2). */
  hostPath(path: string): Promise<string>;
  /** Where FIFOs of logs are made, on the host and as the plugin sees it; needed for log drivers. */
  readonly logFolder?: { readonly host: string; readonly plugin: string };
  /** How often its process was started again. */
  restarts(): number;
}

/**
 * Finds plugins before anybody looks for sockets. Managers that use drivers name it as an optional need: they start
 * after it, and have stopped before the plugins are.
 */
export interface PluginSource {
  /**
   * Waits a moment for a plugin that is starting.
   *
   * @param name as a user types it: with or without tag, or an id
   * @returns the name it is offered by; undefined = there is none of that name
   * @throws conflict     it is there, and is disabled
   * @throws unavailable  it is enabled, and does not run
   */
  find(name: string, signal?: AbortSignal): Promise<string | undefined>;
}

/** There is one. */
export const PluginSource1 = capability<PluginSource>('plugin-source/v1');

/** The way into the set of drivers for plugins that somebody starts and stops while the daemon runs. */
export interface PluginDoor {
  /**
   * Makes its drivers known. The calls of an earlier offer of that name end on the old connection.
   *
   * @throws conflict  a plugin of the daemon's configuration provides a driver of that name
   */
  offer(plugin: OfferedPlugin): void;
  /**
   * Its drivers are not known any more. Resolves when the calls under way have ended, or after `drainMs`.
   *
   * @param options.forGood  it was disabled: an authorization plugin leaves the chain (P-AZ-13)
   */
  withdraw(name: string, options: { readonly forGood: boolean; readonly drainMs: number }): Promise<void>;
  /** What there is now that uses drivers of this name, such as `volume data`. */
  usersOf(name: string): readonly string[];
  /**
   * The socket that collectors of metrics read from, which listens when this returns (P-MET-1).
   * @throws unavailable  nothing is counted
   */
  metricsSocket(): Promise<string>;
}

/** Provided by the core. */
export const PluginDoor1 = capability<PluginDoor>('plugin-door/v1');

/** What a manager of volumes, networks or logs knows about the use of drivers. */
export interface DriverUsers {
  /** @param isMeant whether a name somebody once typed means the driver. @returns `volume data`, `network back` … */
  usersOf(isMeant: (driver: string) => boolean): readonly string[];
}

export const DriverUsers1 = capability<DriverUsers>('driver-users/v1', 'many');
