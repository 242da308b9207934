import { equal, ok } from 'node:assert/strict';
import { createServer } from 'node:http';
import type { MetricsCollector } from '../contracts/metrics-collector';
import { metricsCollectorMethods as methods } from '../wire';
import type { JudgedPlugin } from './judged-plugin';
import { type ConformanceCase, type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

/** A metrics collector to judge, and what is known about it. */
export interface MetricsCollectorSubject {
  readonly collector: MetricsCollector;
  /** Path of the socket where it looks for the metrics; the suite serves some there. Must not exist. */
  readonly metricsSocket?: string;
  /** How long it may take until it reads them; 10,000 when absent. */
  readonly readsWithinMs?: number;
  /** When the collector is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

type Case = ConformanceCase<MetricsCollectorSubject>;
const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `metrics.${id}`,
  title,
  rule,
  run,
});

/** Serves metrics and counts how often they are read. */
async function serveMetrics(path: string): Promise<{ reads(): number; close(): Promise<void> }> {
  let reads = 0;
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/metrics') reads++;
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4' }).end('engine_conformance 1\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    reads: () => reads,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const cases: readonly Case[] = [
  one('start', 'P-MET-2', 'a collector starts and stops', async ({ collector }) => {
    await collector.startMetrics();
    await collector.stopMetrics();
  }),
  one(
    'start.again',
    'P-MET-2',
    'a collector that was started is told again: the daemon has restarted',
    async ({ collector }) => {
      await collector.startMetrics();
      try {
        await collector.startMetrics();
      } finally {
        await collector.stopMetrics();
      }
    },
  ),
  one('restart', 'P-MET-2', 'a collector that was stopped starts again', async ({ collector }) => {
    for (let round = 0; round < 3; round++) {
      await collector.startMetrics();
      await collector.stopMetrics();
    }
  }),
  one(
    'reads',
    'P-MET-1',
    'the metrics are read once the collector was started, and no more when it was stopped',
    async (subject) => {
      const { collector, metricsSocket, readsWithinMs = 10_000 } = subject;
      if (metricsSocket === undefined) skip('the socket where the collector looks for metrics is not known');
      const metrics = await serveMetrics(metricsSocket);
      try {
        await collector.startMetrics();
        const deadline = Date.now() + readsWithinMs;
        while (metrics.reads() === 0 && Date.now() < deadline) await pause(20);
        await collector.stopMetrics();
        ok(metrics.reads() > 0, `nothing was read within ${readsWithinMs} ms`);
        await pause(50);
        const before = metrics.reads();
        await pause(Math.min(1500, readsWithinMs));
        equal(metrics.reads(), before, 'it reads on after StopMetrics');
      } finally {
        await collector.stopMetrics().catch(() => undefined);
        await metrics.close();
      }
    },
  ),
];

const wire = wireCases({
  prefix: 'metrics',
  kind: 'MetricsCollector',
  methods: [
    [methods.startMetrics.method, undefined],
    [methods.stopMetrics.method, undefined],
  ],
  emptyBodies: [methods.startMetrics.method, methods.stopMetrics.method],
});

/** What every metrics collector must do, in process and behind a socket. */
export const metricsCollectorSuite: ConformanceSuite<MetricsCollectorSubject> = {
  kind: 'metrics',
  cases: [...wire.first, ...cases, ...wire.last],
};
