import { join } from 'node:path';
import { errorMessage, type Logger, type MetricsCollector } from '@gantry/sdk';
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
  private server: MetricsServer | undefined;

  constructor(private readonly deps: MetricsCollectorsDeps) {}

  /** Never throws: a collector that fails is named in the log. */
  async start(): Promise<void> {
    const { collectors, metrics, execRoot, log } = this.deps;
    const found = collectors();
    if (found.length === 0) return;
    if (metrics === undefined) {
      for (const [plugin] of found)
        log.warn('plugin collects metrics, and none are counted: set "metrics-addr"', { plugin });
      return;
    }
    try {
      this.server = new MetricsServer(metrics, log);
      await this.server.listenOn(join(execRoot, 'metrics.sock'));
      await this.tell('startMetrics');
    } catch (error) {
      log.error('metrics cannot be collected', { error: errorMessage(error) });
    }
  }

  async stop(): Promise<void> {
    if (this.server === undefined) return;
    await this.tell('stopMetrics');
    this.server.close();
  }

  private async tell(what: 'startMetrics' | 'stopMetrics'): Promise<void> {
    await Promise.all(
      this.deps.collectors().map(async ([plugin, collector]) => {
        try {
          await collector[what](AbortSignal.timeout(5000));
        } catch (error) {
          this.deps.log.warn(`${what} failed`, { plugin, error: errorMessage(error) });
        }
      }),
    );
  }
}
