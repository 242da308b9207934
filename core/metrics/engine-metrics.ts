import os from 'node:os';
import { type DaemonSettings, errorMessage, type Logger, type MetricsSource, withDeadline } from '@gantry/sdk';
import type { Histogram, Registry } from 'prom-client';
import { goArchitecture, operatingSystem } from '../api/routes/system-facts';
import type { DaemonVersion } from '../api/versions/daemon-version';
import type { EventHistory } from '../events/event-log';
import type { CallWatcher } from '../kernel/watched-instance';
import { contributedText } from './contributed-text';
import { actionOfCall, actionOfRoute, firstActions, type TimedAction } from './timed-actions';

export interface EngineMetricsDeps {
  readonly events: EventHistory;
  readonly sources: () => readonly (readonly [name: string, source: MetricsSource])[];
  readonly settings: DaemonSettings;
  readonly version: DaemonVersion;
  readonly log: Logger;
}

/** How a request went. */
export interface RequestOutcome {
  readonly method: string;
  /** Path pattern of the route; undefined when no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly seconds: number;
}

/** The default buckets of Prometheus clients, which dockerd uses. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const scrapeTimeoutMs = 1000;

/**
 * The metrics of `metrics-addr`: dockerd's names, and what else an operator wants to see. It is made only when the
 * address is configured.
 */
export class EngineMetrics {
  private readonly registry: Registry;
  private readonly actions: Readonly<Record<TimedAction['family'], Histogram<'action' | 'function'>>>;
  private readonly requests: Histogram<'method' | 'route' | 'code'>;
  private readonly calls: Histogram<'plugin' | 'method'>;
  private readonly failures: import('prom-client').Counter<'plugin' | 'method'>;

  constructor(private readonly deps: EngineMetricsDeps) {
    const prom: typeof import('prom-client') = require('prom-client');
    const registry = new prom.Registry();
    this.registry = registry;
    prom.collectDefaultMetrics({ register: registry });
    const histogram = <Labels extends string>(name: string, help: string, labelNames: readonly Labels[]) =>
      new prom.Histogram<Labels>({ name, help, labelNames, buckets, registers: [registry] });
    const gauge = <Labels extends string>(
      name: string,
      help: string,
      labelNames: readonly Labels[],
      collect: (gauge: import('prom-client').Gauge<Labels>) => void | Promise<void>,
    ) =>
      new prom.Gauge<Labels>({
        name,
        help,
        labelNames,
        registers: [registry],
        collect() {
          return collect(this);
        },
      });

    this.actions = {
      container: histogram(
        'engine_daemon_container_actions_seconds',
        'The number of seconds it takes to process each container action',
        ['action'],
      ),
      image: histogram(
        'engine_daemon_image_actions_seconds',
        'The number of seconds it takes to process each image action',
        ['action'],
      ),
      network: histogram(
        'engine_daemon_network_actions_seconds',
        'The number of seconds it takes to process each network action',
        ['action'],
      ),
      host: histogram(
        'engine_daemon_host_info_functions_seconds',
        'The number of seconds it takes to call functions gathering info about the host',
        ['function'],
      ),
    };
    for (const { family, action } of firstActions) this.actions[family].zero({ action });

    gauge('engine_daemon_engine_cpus_cpus', 'The number of cpus that the host system of the engine has', [], (it) =>
      it.set(os.cpus().length),
    );
    gauge(
      'engine_daemon_engine_memory_bytes',
      'The number of bytes of memory that the host system of the engine has',
      [],
      (it) => it.set(os.totalmem()),
    );
    gauge(
      'engine_daemon_engine_info',
      'The information related to the engine and the OS it is running on',
      ['version', 'commit', 'architecture', 'graphdriver', 'kernel', 'os', 'os_type', 'daemon_id'],
      async (it) => it.set(await this.engineInfo(), 1),
    );
    gauge('engine_daemon_events_subscribers_total', 'The number of current subscribers to events', [], (it) =>
      it.set(deps.events.listenerCount),
    );
    new prom.Counter({
      name: 'engine_daemon_events_total',
      help: 'The number of events logged',
      registers: [registry],
      collect() {
        this.reset();
        this.inc(deps.events.publishedCount);
      },
    });

    this.requests = histogram(
      'gantry_http_requests_seconds',
      'Seconds until a request was answered, or a stream had ended, by route, method and status',
      ['method', 'route', 'code'],
    );
    this.calls = histogram('gantry_plugin_calls_seconds', 'Seconds that calls of plugins took, by plugin and method', [
      'plugin',
      'method',
    ]);
    this.failures = new prom.Counter({
      name: 'gantry_plugin_call_errors_total',
      help: 'Calls of plugins that failed, by plugin and method',
      labelNames: ['plugin', 'method'],
      registers: [registry],
    });
  }

  requestEnded({ method, route, status, seconds }: RequestOutcome): void {
    // Unknown paths are the client's words: they must not make up new series.
    const labels = { method: route === undefined ? 'other' : method, route: route ?? 'none', code: String(status) };
    this.requests.observe(labels, seconds);
    const timed = route === undefined || status >= 400 ? undefined : actionOfRoute(method, route);
    if (timed !== undefined) this.observeAction(timed, seconds);
  }

  readonly watchCall: CallWatcher = (plugin, method) => {
    const startedMs = performance.now();
    return {
      ended: (failure) => {
        const seconds = (performance.now() - startedMs) / 1000;
        this.calls.observe({ plugin, method }, seconds);
        if (failure !== undefined) this.failures.inc({ plugin, method });
        const timed = failure === undefined ? actionOfCall(method) : undefined;
        if (timed !== undefined) this.observeAction(timed, seconds);
      },
    };
  };

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Everything in the text format of Prometheus. A plugin that fails or is late is left out. */
  async text(): Promise<string> {
    const [own, ...contributed] = await Promise.all([
      this.registry.metrics(),
      ...this.deps.sources().map(([name, source]) => this.contributed(name, source)),
    ]);
    return [own, ...contributed].join('');
  }

  private observeAction({ family, action }: TimedAction, seconds: number): void {
    this.actions[family].observe(family === 'host' ? { function: action } : { action }, seconds);
  }

  private async engineInfo() {
    const { settings, version } = this.deps;
    return {
      version: version.version,
      commit: version.gitCommit,
      architecture: goArchitecture(),
      graphdriver: settings.storageDriver,
      kernel: os.release(),
      os: (await operatingSystem()).name,
      os_type: 'linux',
      daemon_id: settings.engineId,
    };
  }

  private async contributed(plugin: string, source: MetricsSource): Promise<string> {
    try {
      const families = await withDeadline(`metrics of plugin ${plugin}`, scrapeTimeoutMs, async () => source.metrics());
      return contributedText(families);
    } catch (error) {
      this.deps.log.warn('a plugin did not contribute its metrics', { plugin, error: errorMessage(error) });
      return '';
    }
  }
}
