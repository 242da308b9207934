import type { MetricsSource } from '@gantry/sdk';
import type { Engine } from './engine';

/** What the engine tells Prometheus, by dockerd's names. */
export function containerMetrics(engine: Engine): MetricsSource {
  return {
    metrics: () => [
      {
        name: 'engine_daemon_container_states_containers',
        help: 'The count of containers in various states',
        type: 'gauge',
        samples: Object.entries(countStates(engine)).map(([state, value]) => ({ labels: { state }, value })),
      },
      {
        name: 'engine_daemon_health_checks_total',
        help: 'The total number of health checks',
        type: 'counter',
        samples: [{ value: engine.healthChecks.total }],
      },
      {
        name: 'engine_daemon_health_checks_failed_total',
        help: 'The total number of failed health checks',
        type: 'counter',
        samples: [{ value: engine.healthChecks.failed }],
      },
    ],
  };
}

/** Containers by state, as GET /info counts them. */
export function countStates(engine: Pick<Engine, 'index'>): { running: number; paused: number; stopped: number } {
  const count = { running: 0, paused: 0, stopped: 0 };
  for (const { state } of engine.index.all()) {
    if (state.status === 'running' || state.status === 'restarting') count.running++;
    else if (state.status === 'paused') count.paused++;
    else count.stopped++;
  }
  return count;
}
