const call = (name: string) =>
  ({ method: `MetricsCollector.${name}`, timeoutMs: 10_000, repeatable: true, ignoresBody: true }) as const;

/** How each method behaves on the wire: empty bodies, and of the answer only the status counts (P-MET-2). */
export const metricsCollectorMethods = {
  startMetrics: call('StartMetrics'),
  stopMetrics: call('StopMetrics'),
} as const;
