import { errorMessage, type Logger, type PluginDoor, unavailable } from '@gantry/sdk';
import { capabilitiesOf, speaksProtocol } from '../config/plugin-config';
import type { InstalledPlugin } from '../records/plugin-record';
import { pluginLogs } from './plugin-paths';
import { PluginProcess, type ProcessDeps } from './plugin-process';

export interface RunningDeps extends ProcessDeps {
  readonly door: PluginDoor;
  readonly log: Logger;
  /** `<data root>/plugins/<id>` */
  readonly folderOf: (id: string) => string;
}

/** How long the calls of a plugin that is disabled may take to end. */
const drainMs = 5000;

interface Entry {
  readonly process: PluginProcess;
  /** Resolves when its drivers are known; rejects when it was stopped before. */
  readonly offered: Promise<void>;
}

/** The processes of enabled plugins, and their drivers. */
export class RunningPlugins {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly deps: RunningDeps) {}

  /**
   * Starts a plugin and makes its drivers known.
   *
   * @throws system  it does not start; nothing is left of it
   * @throws conflict  somebody else provides a driver of that name
   */
  async start(plugin: InstalledPlugin): Promise<PluginProcess> {
    const process = this.processOf(plugin);
    try {
      await process.start();
      this.offer(process);
    } catch (error) {
      await process.stop();
      throw error;
    }
    this.entries.set(plugin.id, { process, offered: Promise.resolve() });
    return process;
  }

  /** Brings back a plugin that was enabled: takes it over where it still runs, else starts it until it does. */
  bringBack(plugin: InstalledPlugin): void {
    const process = this.processOf(plugin);
    const offered = (async () => {
      if (!(await process.adopt()) && !(await process.insist())) throw unavailable('it was stopped before it ran');
      this.offer(process);
    })();
    offered.catch((error) =>
      this.deps.log.error('an enabled plugin is not there', { plugin: plugin.name, error: errorMessage(error) }),
    );
    this.entries.set(plugin.id, { process, offered });
  }

  /** Whether its drivers are known, after a while at most. */
  async whenOffered(id: string, patienceMs: number, signal?: AbortSignal): Promise<boolean> {
    const entry = this.entries.get(id);
    if (entry === undefined) return false;
    let stop = () => {};
    const tooLate = new Promise<false>((resolve) => {
      const timer = setTimeout(() => resolve(false), patienceMs);
      const onAbort = () => resolve(false);
      signal?.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
    });
    try {
      return await Promise.race([
        entry.offered.then(
          () => true,
          () => false,
        ),
        tooLate,
      ]);
    } finally {
      stop();
    }
  }

  /** Takes its drivers away and stops it. Repeatable. @param options.forGood it was disabled */
  async stop(id: string, options: { readonly forGood: boolean }): Promise<void> {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    this.entries.delete(id);
    await this.deps.door.withdraw(entry.process.plugin.name, { ...options, drainMs: options.forGood ? drainMs : 0 });
    await entry.process.stop();
  }

  /** The daemon stops. @param keep they run on, and the next daemon takes them over */
  async close(keep: boolean): Promise<void> {
    if (keep) await Promise.all([...this.entries.values()].map(({ process }) => process.detach()));
    else await Promise.all([...this.entries.keys()].map((id) => this.stop(id, { forGood: false })));
  }

  private processOf(plugin: InstalledPlugin): PluginProcess {
    const process = new PluginProcess(plugin, this.deps.folderOf(plugin.id), this.deps);
    // Other kinds need no word: a collector begins when it is told to.
    if (capabilitiesOf(plugin.config).includes('metricscollector')) process.onReturn = () => this.offer(process);
    return process;
  }

  private offer(process: PluginProcess): void {
    const { plugin, paths } = process;
    this.deps.door.offer({
      name: plugin.name,
      socketPath: process.socketAddress,
      kinds: speaksProtocol(plugin.config) ? capabilitiesOf(plugin.config) : [],
      timeoutMs: plugin.timeoutS * 1000,
      hostPath: (path) => process.hostPath(path),
      logFolder: { host: paths.logs, plugin: pluginLogs },
      restarts: () => process.restarts,
    });
  }
}
