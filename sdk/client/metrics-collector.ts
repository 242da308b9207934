import type { MetricsCollector } from '../contracts/metrics-collector';
import { metricsCollectorMethods } from '../wire';
import type { PluginClient } from './plugin-client';

/** A metrics collector behind a socket. */
export function connectMetricsCollector(client: PluginClient): MetricsCollector {
  return {
    async startMetrics(signal) {
      await client.call({ ...metricsCollectorMethods.startMetrics, signal });
    },
    async stopMetrics(signal) {
      await client.call({ ...metricsCollectorMethods.stopMetrics, signal });
    },
  };
}
