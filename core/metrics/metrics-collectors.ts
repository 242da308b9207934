import { join } from 'node:path';
import { errorMessage, type Logger, type MetricsCollector, unavailable } from '@gantry/sdk';
import type { EngineMetrics } from './engine-metrics';
import { MetricsServer } from './metrics-server';

export interface MetricsCollectorsDeps {
  readonly collectors: () => readonly (readonly [name: string, collector: MetricsCollector])[];
  /** Absent when nothing is counted. */
  readonly metrics?: Pick<EngineMetrics, 'text' | 'contentType'>;
  readonly execRoot: string;
  readonly log: Logger;
}

/** Plugins that take the metrics somewhere: they read them from a socket below the exec root (P-MET-1, P-MET-2). */
export class MetricsCollectors {
  private server: Promise<MetricsServer> | undefined;
  private readonly told = new Set<MetricsCollector>();
  private isOpen = false;

  constructor(private readonly deps: MetricsCollectorsDeps) {}

  /** A collector has come: it is told at once when the others have been. */
  arrived(): void {
    if (this.isOpen) void this.start();
  }

  /** Tells those that were not told yet. Never throws: a collector that fails is named in the log. */
  async start(): Promise<void> {
    this.isOpen = true;
    const { collectors, metrics, log } = this.deps;
    const fresh = collectors().filter(([, collector]) => !this.told.has(collector));
    if (fresh.length === 0) return;
    for (const [, collector] of fresh) this.told.add(collector);
    if (metrics === undefined) {
      for (const [plugin] of fresh)
        log.warn('plugin collects metrics, and none are counted: set "metrics-addr"', { plugin });
      return;
    }
    try {
      await this.socket();
      await this.tell('startMetrics', fresh);
    } catch (error) {
      log.error('metrics cannot be collected', { error: errorMessage(error) });
    }
  }

  /**
   * Where the metrics are read; it listens from then on.
   *
   * @throws unavailable  none are counted
   */
  async socket(): Promise<string> {
    const { metrics, execRoot, log } = this.deps;
    if (metrics === undefined)
      throw unavailable('no metrics are counted for a plugin to collect: set "metrics-addr" in daemon.json');
    const path = join(execRoot, 'metrics.sock');
    this.server ??= (async () => {
      const server = new MetricsServer(metrics, log);
      await server.listenOn(path);
      return server;
    })();
    await this.server;
    return path;
  }

  async stop(): Promise<void> {
    if (this.server === undefined) return;
    await this.tell(
      'stopMetrics',
      this.deps.collectors().filter(([, collector]) => this.told.has(collector)),
    );
    (await this.server.catch(() => undefined))?.close();
  }

  private async tell(
    what: 'startMetrics' | 'stopMetrics',
    whom: ReturnType<MetricsCollectorsDeps['collectors']>,
  ): Promise<void> {
    await Promise.all(
      whom.map(async ([plugin, collector]) => {
        try {
          await collector[what](AbortSignal.timeout(5000));
        } catch (error) {
          this.deps.log.warn(`${what} failed`, { plugin, error: errorMessage(error) });
        }
      }),
    );
  }
}
