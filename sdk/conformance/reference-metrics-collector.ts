import { request } from 'node:http';
import type { MetricsCollector } from '../contracts/metrics-collector';

/**
 * The smallest collector that keeps every rule: it reads the metrics while it is told to.
 *
 * @param metricsSocket where `GET /metrics` is answered
 * @param everyMs       how often it is asked; 1,000 when absent
 */
export function referenceMetricsCollector(metricsSocket: string, everyMs = 1000): MetricsCollector {
  let timer: NodeJS.Timeout | undefined;
  const read = () => {
    const call = request({ socketPath: metricsSocket, path: '/metrics', agent: false }, (answer) => answer.resume());
    // Whoever is not there yet is asked again.
    call.on('error', () => undefined);
    call.end();
  };
  return {
    async startMetrics() {
      clearInterval(timer);
      timer = setInterval(read, everyMs).unref();
      read();
    },
    async stopMetrics() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
