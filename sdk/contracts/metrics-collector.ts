import { capability } from '../plugin/capability';

/**
 * Takes the daemon's metrics somewhere. They are Prometheus text, served at `GET /metrics` on the socket
 * `metrics.sock` below the daemon's exec root. @see Docker metrics plugin protocol, section 10
 */
export interface MetricsCollector {
  /** The metrics can be read from now on. May be told again after a restart of the daemon. */
  startMetrics(signal?: AbortSignal): Promise<void>;
  /** The daemon stops, and its metrics with it. */
  stopMetrics(signal?: AbortSignal): Promise<void>;
}

/** Metrics collectors, by name. */
export const MetricsCollector1 = capability<MetricsCollector>('metrics-collector/v1', 'many');
