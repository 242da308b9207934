import { capability } from '../plugin/capability';

/** A metric with its values now. Names follow the Prometheus rules: `_total` for counters, the unit at the end. */
export interface MetricFamily {
  /** `engine_daemon_health_checks_total`. No two plugins may use the same name. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

/** What a plugin adds to the metrics of `metrics-addr`. Asked at every scrape, so it must be cheap. */
export interface MetricsSource {
  /** Must answer within a second. */
  metrics(): readonly MetricFamily[] | Promise<readonly MetricFamily[]>;
}

export const MetricsSource1 = capability<MetricsSource>('metrics-source/v1', 'many');
