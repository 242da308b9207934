import { rm } from 'node:fs/promises';
import {
  CleanupStack,
  type Clock,
  type DaemonSettings,
  errorMessage,
  type Logger,
  type PluginDoor,
  type PluginImages,
  type Runtime,
  type Task,
} from '@gantry/sdk';
import { capabilitiesOf } from '../config/plugin-config';
import type { InstalledPlugin } from '../records/plugin-record';
import { awaitSocket } from './await-socket';
import { PluginOutput } from './plugin-output';
import { hostPath, type PluginPaths, pluginPaths } from './plugin-paths';
import { pluginSpec } from './plugin-spec';
import { sharePropagatedMount, unmountAllIn } from './propagated-mount';
import { RestartPause } from './restart-pause';
import { SocketFolder } from './socket-folder';

export interface ProcessDeps {
  readonly runtime: Runtime;
  readonly images: PluginImages;
  readonly door: Pick<PluginDoor, 'metricsSocket'>;
  readonly settings: DaemonSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

const SIGTERM = 15;
const SIGKILL = 9;
/** How long a plugin may take to end, before it is killed and after (P-RUN-5). */
const stopPatienceMs = 10_000;

/** The process of an enabled plugin: started, watched, started again when it ends, stopped. */
export class PluginProcess {
  restarts = 0;
  /** Told when it listens again after it has ended by itself. */
  onReturn: () => void = () => undefined;
  readonly paths: PluginPaths;
  private readonly sockets: SocketFolder;
  private readonly output: PluginOutput;
  private readonly pause: RestartPause;
  private readonly stopping = new AbortController();
  private readonly stopped = new Promise<undefined>((resolve) =>
    this.stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  private task: Task | undefined;
  private root = '';
  private watching: Promise<void> | undefined;
  /** Starts and takings over that are under way. */
  private readonly underway = new Set<Promise<unknown>>();

  /** @param folder `<data root>/plugins/<id>` */
  constructor(
    readonly plugin: InstalledPlugin,
    private readonly folder: string,
    private readonly deps: ProcessDeps,
  ) {
    this.paths = pluginPaths(deps.settings.execRoot, folder, plugin.id, plugin.config);
    this.sockets = new SocketFolder(this.paths.sockets);
    this.output = new PluginOutput(plugin.id, deps.log);
    this.pause = new RestartPause(deps.clock);
  }

  /** Where it listens, as this process can reach it while the plugin runs. */
  get socketAddress(): string {
    return this.sockets.addressOf(this.plugin.config.Interface.Socket);
  }

  /** A path as the plugin sees it, on the host. */
  hostPath(path: string): Promise<string> {
    return hostPath(path, this.root, this.paths.propagated, this.plugin.config);
  }

  /**
   * Starts it and waits until it listens. When that fails nothing of it is left.
   *
   * @throws system  it cannot be started, ended, or does not listen
   */
  start(): Promise<void> {
    return this.track(async () => {
      try {
        await this.launch();
        await this.listens();
      } catch (error) {
        await this.end();
        throw error;
      }
      this.watch();
    });
  }

  /**
   * Takes over the process that an earlier daemon started, if it still runs and listens.
   *
   * @returns false  there is none; what was left of it is gone
   */
  adopt(): Promise<boolean> {
    return this.track(() => this.takeOver());
  }

  private async takeOver(): Promise<boolean> {
    const { runtime, images } = this.deps;
    // A socket that is bound into it went with the daemon that made it.
    const mustRestart = capabilitiesOf(this.plugin.config).includes('metricscollector');
    const task = await runtime.reconnect(this.plugin.id, { openStdin: false, terminal: false });
    this.task = task;
    try {
      if (task !== undefined && !mustRestart && (await task.status()) === 'running') {
        this.root = await images.rootFilesystem(this.plugin.rootId).mount();
        await this.sockets.open();
        this.output.follow(task.streams);
        await this.listens();
        this.watch();
        return true;
      }
    } catch (error) {
      this.warn('a plugin that went on running is started again', error);
    }
    await this.end();
    return false;
  }

  /**
   * Starts it, and goes on trying until it runs: for plugins that were enabled before.
   *
   * @returns false  it was stopped meanwhile
   */
  async insist(): Promise<boolean> {
    for (;;) {
      if (this.stopping.signal.aborted) return false;
      try {
        await this.start();
        return true;
      } catch (error) {
        if (this.stopping.signal.aborted) return false;
        const waitMs = this.pause.nextMs();
        this.deps.log.error('an enabled plugin could not be started and is tried again', {
          plugin: this.plugin.name,
          error: errorMessage(error),
          waitMs,
        });
        await this.pause.wait(waitMs, this.stopping.signal);
      }
    }
  }

  /** Ends it, frees everything, and unmounts what it has left. Repeatable. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.allSettled([this.watching, ...this.underway]);
    await this.end();
    await unmountAllIn(this.folder);
    await rm(this.paths.logs, { recursive: true, force: true });
  }

  /** Lets go of it; it runs on. */
  async detach(): Promise<void> {
    this.stopping.abort();
    await this.sockets.close();
  }

  private async launch(): Promise<void> {
    const { runtime, images, settings, door } = this.deps;
    const { plugin, paths } = this;
    const undo = new CleanupStack();
    try {
      const root = images.rootFilesystem(plugin.rootId);
      undo.push(() => root.unmount());
      this.root = await root.mount();
      await this.sockets.clear();
      if (plugin.config.PropagatedMount !== '') await sharePropagatedMount(paths.propagated);
      const collects = capabilitiesOf(plugin.config).includes('metricscollector');
      const spec = await pluginSpec(plugin, {
        rootPath: this.root,
        paths,
        settings,
        ...(collects ? { metricsSocket: await door.metricsSocket() } : {}),
      });
      const task = await runtime.create(
        { id: plugin.id, spec, openStdin: false, terminal: false },
        this.stopping.signal,
      );
      undo.push(() => task.delete());
      this.output.follow(task.streams);
      await task.start();
      this.task = task;
    } catch (error) {
      await undo.runAll();
      throw error;
    }
  }

  private async listens(): Promise<void> {
    const ended = this.task!.wait().then(({ code }) => {
      const words = this.output.lastWords;
      return `the plugin ended with exit code ${code}${words === '' ? '' : `: ${words}`}`;
    });
    await awaitSocket(
      { path: this.paths.socket, address: this.socketAddress },
      ended,
      this.deps.clock,
      this.stopping.signal,
    );
  }

  private async track<T>(work: () => Promise<T>): Promise<T> {
    const promise = work();
    this.underway.add(promise);
    try {
      return await promise;
    } finally {
      this.underway.delete(promise);
    }
  }

  /** Starts it again whenever it ends, later and later (P-RUN-4). */
  private watch(): void {
    this.watching ??= this.keepRunning().finally(() => {
      this.watching = undefined;
    });
  }

  private async keepRunning(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const exit = await Promise.race([this.task!.wait(), this.stopped]);
      if (exit === undefined || signal.aborted) return;
      this.pause.ran(performance.now() - startedAt);
      // What is left of it goes before the next one is made.
      await this.endTask().catch((error) => this.warn('a plugin that has ended is not all gone', error));
      for (let running = false; !running && !signal.aborted; ) {
        const waitMs = this.pause.nextMs();
        this.deps.log.error('a plugin has ended and is started again', {
          plugin: this.plugin.name,
          exitCode: exit.code,
          restarts: ++this.restarts,
          waitMs,
        });
        await this.pause.wait(waitMs, signal);
        if (signal.aborted) return;
        try {
          await this.launch();
          running = true;
          this.listens()
            .then(this.onReturn)
            .catch((error) => this.warn('a plugin that was started again does not listen', error));
        } catch (error) {
          this.warn('a plugin cannot be started', error);
        }
      }
    }
  }

  private async end(): Promise<void> {
    await this.endTask();
    await this.deps.runtime.purge(this.plugin.id);
    try {
      await this.deps.images.rootFilesystem(this.plugin.rootId).unmount();
    } catch (error) {
      // It may have been made with another storage driver, and is not mounted then.
      this.deps.log.debug('a root file system is not unmounted', { plugin: this.plugin.name, error });
    }
    await this.sockets.remove();
  }

  private warn(what: string, error: unknown): void {
    this.deps.log.warn(what, { plugin: this.plugin.name, error: errorMessage(error) });
  }

  private async endTask(): Promise<void> {
    const { task } = this;
    if (task === undefined) return;
    this.task = undefined;
    const exit = task.wait().then(() => true);
    for (const signal of [SIGTERM, SIGKILL]) {
      await task.kill(signal).catch(() => undefined);
      const timer = new AbortController();
      const tooLate = this.deps.clock.sleep(stopPatienceMs, timer.signal).then(
        () => false,
        () => false,
      );
      const gone = await Promise.race([exit, tooLate]);
      timer.abort();
      if (gone) break;
    }
    await task.delete();
  }
}
