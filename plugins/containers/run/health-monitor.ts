import { errorMessage, formatTimeNs } from '@gantry/sdk';
import type { Healthcheck } from '../config/container-config';
import { type Engine, publish } from '../engine';
import { runInContainer } from '../exec/exec';
import type { Container } from './container';
import { goDuration } from './go-duration';

export interface HealthResult {
  readonly start: string;
  readonly end: string;
  readonly exitCode: number;
  readonly output: string;
}

export interface HealthState {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly HealthResult[];
}

const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };
const KEPT_RESULTS = 5;
const OUTPUT_LIMIT = 4096;

/** Probes a running container again and again. */
export class HealthMonitor {
  state: HealthState = { status: 'starting', failingStreak: 0, log: [] };
  private readonly stopped = new AbortController();

  constructor(
    private readonly container: Container,
    private readonly check: Healthcheck,
    private readonly engine: Engine,
  ) {}

  start(): void {
    void this.run().catch((error: unknown) => {
      if (!this.stopped.signal.aborted)
        this.engine.log.warn('health checks ended', { id: this.container.id, error: errorMessage(error) });
    });
  }

  /** What was found stays to be seen, but a container that ended is not healthy. */
  stop(): void {
    this.state = { ...this.state, status: 'unhealthy' };
    this.stopped.abort();
  }

  private async run(): Promise<void> {
    const { clock } = this.engine;
    const startedMs = clock.now().getTime();
    const startPeriodMs = milliseconds(this.check.StartPeriod) ?? DEFAULTS.startPeriodMs;
    for (;;) {
      const isStarting = this.state.status === 'starting' && clock.now().getTime() - startedMs < startPeriodMs;
      const pauseMs = isStarting
        ? (milliseconds(this.check.StartInterval) ?? DEFAULTS.startIntervalMs)
        : (milliseconds(this.check.Interval) ?? DEFAULTS.intervalMs);
      await clock.sleep(pauseMs, this.stopped.signal);
      if (this.container.state.status !== 'running') continue;
      const result = await this.probe();
      if (this.stopped.signal.aborted) return;
      this.record(result, clock.now().getTime() - startedMs < startPeriodMs);
    }
  }

  private async probe(): Promise<HealthResult> {
    const start = formatTimeNs(this.engine.clock.nowNs());
    const timeoutMs = milliseconds(this.check.Timeout) ?? DEFAULTS.timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const finish = (exitCode: number, output: string): HealthResult => ({
      start,
      end: formatTimeNs(this.engine.clock.nowNs()),
      exitCode,
      output,
    });
    try {
      const { config } = this.container.record;
      const { exitCode, output } = await runInContainer(
        this.container,
        {
          user: '',
          privileged: false,
          terminal: false,
          attachStdin: false,
          attachStdout: true,
          attachStderr: true,
          detachKeys: '',
          env: [],
          workingDir: '',
          command: probeCommand(this.check.Test ?? [], config.Shell),
          consoleSize: undefined,
        },
        { limitBytes: OUTPUT_LIMIT, signal: AbortSignal.any([timeout, this.stopped.signal]) },
        this.engine,
      );
      if (timeout.aborted)
        return finish(-1, `Health check exceeded timeout (${goDuration(timeoutMs)})${output ? `: ${output}` : ''}`);
      return finish(exitCode, output);
    } catch (error) {
      return finish(-1, errorMessage(error));
    }
  }

  private record(result: HealthResult, inStartPeriod: boolean): void {
    const before = this.state;
    this.engine.healthChecks.total += 1;
    if (result.exitCode !== 0) this.engine.healthChecks.failed += 1;
    const log = [...before.log, result].slice(-KEPT_RESULTS);
    const retries = this.check.Retries || DEFAULTS.retries;
    if (result.exitCode === 0) this.state = { status: 'healthy', failingStreak: 0, log };
    else if (inStartPeriod && before.status === 'starting') this.state = { ...before, log };
    else {
      const failingStreak = before.failingStreak + 1;
      this.state = { status: failingStreak >= retries ? 'unhealthy' : before.status, failingStreak, log };
    }
    this.container.touch();
    if (this.state.status !== before.status)
      publish(this.engine, this.container, `health_status: ${this.state.status}`);
  }
}

/** Starts probing when the container has a health check. */
export function startHealthMonitor(container: Container, engine: Engine): void {
  const check = container.record.config.Healthcheck;
  const kind = check?.Test?.[0];
  if (check === undefined || kind === undefined || kind === 'NONE') return;
  container.health = new HealthMonitor(container, check, engine);
  container.health.start();
}

/** `["CMD", …]`, or `["CMD-SHELL", line]` by the image's shell. */
function probeCommand(test: readonly string[], shell: readonly string[] | undefined): string[] {
  const [kind, ...rest] = test;
  if (kind === 'CMD') return rest;
  return [...(shell && shell.length > 0 ? shell : ['/bin/sh', '-c']), ...rest];
}

const milliseconds = (nanoseconds: number | undefined): number | undefined =>
  nanoseconds ? nanoseconds / 1e6 : undefined;
