import type { DaemonSettings } from '@gantry/sdk';

/** Which module a process is to load. */
export interface PluginModule {
  readonly name: string;
  /** Package name or path. */
  readonly specifier: string;
  /** Directories it is resolved from. */
  readonly searchFrom: readonly string[];
  readonly config: unknown;
  /** Place of the configuration in daemon.json. */
  readonly pointer: string;
}

/** What the daemon tells a plugin's process. */
export type ToProcess =
  | { readonly do: 'describe'; readonly module: PluginModule }
  | {
      readonly do: 'start';
      readonly module: PluginModule;
      readonly stateDir: string;
      readonly runDir: string;
      readonly settings: DaemonSettings;
      readonly sockets: Readonly<Record<string, string>>;
    }
  | { readonly do: 'ready' };

/** A definition, as far as it can be told to another process. */
export interface DescribedPlugin {
  readonly version: string;
  readonly engine: string;
  readonly startTimeoutMs?: number;
  /** Driver name → id of the capability. */
  readonly provides: Readonly<Record<string, string>>;
  readonly hasReady: boolean;
}

/** What a plugin's process tells the daemon. */
export type FromProcess =
  | { readonly said: 'described'; readonly plugin: DescribedPlugin }
  | { readonly said: 'problems'; readonly problems: readonly { readonly pointer: string; readonly message: string }[] }
  | { readonly said: 'started' | 'ready' }
  | { readonly said: 'failed'; readonly message: string }
  | {
      readonly said: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
