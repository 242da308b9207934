import type { Writable } from 'node:stream';
import { formatTimeNs, writeFully } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { isAlive } from '../run/state';
import { type Sample, takeSample } from './sample';

const PERIOD_MS = 1000;
const NEVER = '0001-01-01T00:00:00Z';

export interface StatsOptions {
  readonly stream: boolean;
  /** Do not wait for a second sample to compare with. */
  readonly oneShot: boolean;
}

/**
 * Writes what a container uses, once or every second. One that does not run gives zeroes.
 *
 * @see Docker Engine API, GET /containers/{id}/stats
 */
export async function writeStats(
  container: Container,
  out: Writable,
  options: StatsOptions,
  engine: Engine,
  signal: AbortSignal,
): Promise<void> {
  let before: { sample: Sample | undefined; at: string } | undefined;
  for (let round = 0; !signal.aborted; round++) {
    const sample = await sampleOf(container, engine);
    const at = formatTimeNs(engine.clock.nowNs());
    const wantsMore = options.stream || (round === 0 && !options.oneShot && sample !== undefined);
    // A single answer waits for something to compare with; a stream shows its first sample at once.
    if (options.stream || !wantsMore)
      await writeFully(out, `${JSON.stringify(renderStats(container, sample, at, before, engine))}\n`, signal);
    if (!wantsMore) return;
    before = { sample, at };
    if (engine.index.find(container.id) === undefined) return;
    await engine.clock.sleep(PERIOD_MS, signal).catch(() => undefined);
  }
}

async function sampleOf(container: Container, engine: Engine): Promise<Sample | undefined> {
  if (!isAlive(container.state)) return undefined;
  const mode = container.record.hostConfig.NetworkMode;
  try {
    return await takeSample(
      container.state.pid,
      engine.host.cgroupVersion,
      mode !== 'host' && !mode.startsWith('container:'),
    );
  } catch {
    // It ended a moment ago.
    return undefined;
  }
}

/** @see Engine API, ContainerStatsResponse */
function renderStats(
  container: Container,
  sample: Sample | undefined,
  at: string,
  before: { sample: Sample | undefined; at: string } | undefined,
  { logs }: Pick<Engine, 'logs'>,
): Record<string, unknown> {
  // Only the old hierarchy has these counters, which this kernel's schedulers leave empty.
  const unused = sample?.cpu.perCpuNs ? [] : null;
  const counters = ['rx_bytes', 'rx_packets', 'rx_errors', 'rx_dropped'] as const;
  return {
    name: `/${container.record.name}`,
    id: container.id,
    read: sample ? at : NEVER,
    preread: before?.at ?? NEVER,
    pids_stats: sample
      ? { current: sample.pids.current, ...(sample.pids.limit === undefined ? {} : { limit: sample.pids.limit }) }
      : {},
    blkio_stats: {
      io_service_bytes_recursive: sample?.blockIo.bytes ?? null,
      io_serviced_recursive: sample?.blockIo.operations ?? null,
      io_queue_recursive: unused,
      io_service_time_recursive: unused,
      io_wait_time_recursive: unused,
      io_merged_recursive: unused,
      io_time_recursive: unused,
      sectors_recursive: unused,
    },
    num_procs: 0,
    // Not in the API's definition, whose clients read over what they do not know.
    log_stats: { dropped_messages: logs.droppedMessages(container.id) },
    storage_stats: {},
    cpu_stats: renderCpu(sample),
    precpu_stats: renderCpu(before?.sample),
    memory_stats: sample
      ? {
          usage: sample.memory.usage,
          ...(sample.memory.maxUsage === undefined ? {} : { max_usage: sample.memory.maxUsage }),
          ...(sample.memory.failures === undefined ? {} : { failcnt: sample.memory.failures }),
          stats: sample.memory.stats,
          limit: sample.memory.limit,
        }
      : {},
    ...(sample && Object.keys(sample.networks).length > 0
      ? {
          networks: Object.fromEntries(
            Object.entries(sample.networks).map(([name, values]) => [
              name,
              Object.fromEntries(
                counters.flatMap((counter, index) => [
                  [counter, values[index] ?? 0],
                  [counter.replace('rx', 'tx'), values[index + 8] ?? 0],
                ]),
              ),
            ]),
          ),
        }
      : {}),
  };
}

function renderCpu(sample: Sample | undefined): Record<string, unknown> {
  if (sample === undefined)
    return {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    };
  const { cpu } = sample;
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      ...(cpu.perCpuNs ? { percpu_usage: cpu.perCpuNs } : {}),
      usage_in_kernelmode: cpu.kernelNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: cpu.systemNs,
    online_cpus: cpu.onlineCpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}
