import type { MetricsCollector } from '../contracts/metrics-collector';
import { metricsCollectorMethods } from '../wire';
import { type ServedKind, silently } from './method-table';

/** The wire methods of a metrics collector. Of a failure only the status is looked at (P-MET-2), so it is 500. */
export function metricsCollectorKind(collector: MetricsCollector): ServedKind {
  return {
    kind: 'MetricsCollector',
    errorStatus: 500,
    methods: {
      [metricsCollectorMethods.startMetrics.method]: silently((_body, signal) => collector.startMetrics(signal)),
      [metricsCollectorMethods.stopMetrics.method]: silently((_body, signal) => collector.stopMetrics(signal)),
    },
  };
}
