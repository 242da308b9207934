import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errorMessage, type Logger } from '@gantry/sdk';
import type { FromProcess, ToProcess } from './plugin-job';
import { LimitedGroup, type ProcessLimits } from './process-limits';

const program = join(__dirname, 'process-main.js');
const firstWaitMs = 100;
const longestWaitMs = 5000;
/** Whoever runs as long as this is not in a loop of crashes. */
const settledMs = 30_000;
const patienceMs = 10_000;

export interface PluginProcessOptions {
  readonly name: string;
  readonly job: Extract<ToProcess, { do: 'start' }>;
  readonly hasReady: boolean;
  readonly limits: ProcessLimits | undefined;
  readonly log: Logger;
}

/** The process of an isolated plugin: started again, with growing pauses, whenever it ends unasked. */
export class PluginProcess {
  restarts = 0;
  private child: ChildProcess | undefined;
  private group: LimitedGroup | undefined;
  private failures = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private isReady = false;

  constructor(private readonly options: PluginProcessOptions) {}

  /** @throws Error  it did not start; it runs no more */
  async start(): Promise<void> {
    const { limits, name, job } = this.options;
    // The same name in every run, so that what a killed daemon left is used again.
    const owner = createHash('sha256').update(job.runDir).digest('hex').slice(0, 12);
    if (limits !== undefined) this.group = await LimitedGroup.make(`${name}-${owner}`, limits);
    await this.launch();
  }

  async ready(): Promise<void> {
    this.isReady = true;
    if (this.options.hasReady && this.child !== undefined) await ask(this.child, { do: 'ready' }, 'ready');
  }

  /** Asks it to end, and does not ask twice. Repeatable. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const { child } = this;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await ended;
      clearTimeout(timer);
    }
    await this.group?.remove();
  }

  private async launch(): Promise<void> {
    const { job, log } = this.options;
    const startedAt = Date.now();
    const child = launchProcess(log);
    this.child = child;
    try {
      // Before it has loaded anything of the plugin.
      await this.group?.add(child.pid!);
      await ask(child, job, 'started');
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    const onExit = (code: number | null, signal: string | null) => {
      if (this.closed) return;
      if (Date.now() - startedAt > settledMs) this.failures = 0;
      log.warn('the process of a plugin has ended; it is started again', { code, signal });
      this.again();
    };
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
    else child.once('exit', onExit);
  }

  private again(): void {
    const wait = Math.min(firstWaitMs * 2 ** this.failures++, longestWaitMs);
    this.timer = setTimeout(async () => {
      try {
        this.restarts++;
        await this.launch();
        if (this.isReady) await this.ready();
        if (this.closed) await this.close();
      } catch (error) {
        this.options.log.warn('the process of a plugin could not be started again', { error: errorMessage(error) });
        if (!this.closed) this.again();
      }
    }, wait);
  }
}

/** A process that loads nothing before it is told to. Its output goes to the log. */
export function launchProcess(log: Logger): ChildProcess {
  const child = fork(program, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], detached: true });
  for (const [stream, level] of [
    [child.stdout, 'info'],
    [child.stderr, 'error'],
  ] as const)
    createInterface({ input: stream! }).on('line', (line) => log[level](line));
  child.on('message', (message: FromProcess) => {
    if (message.said === 'log') log[message.level](message.message, message.fields);
  });
  // Its end says more.
  child.on('error', () => undefined);
  return child;
}

/** @throws Error  it failed, or ended without an answer */
export function ask(child: ChildProcess, message: ToProcess, wanted: 'started' | 'ready'): Promise<void>;
export function ask(child: ChildProcess, message: ToProcess, wanted: 'any'): Promise<FromProcess>;
export function ask(child: ChildProcess, message: ToProcess, wanted: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (work: () => void) => {
      child.off('message', onMessage);
      child.off('exit', onExit);
      work();
    };
    const onMessage = (answer: FromProcess) => {
      if (answer.said === 'failed') settle(() => reject(new Error(answer.message)));
      else if (answer.said === wanted || (wanted === 'any' && answer.said !== 'log')) settle(() => resolve(answer));
    };
    const onExit = (code: number | null, signal: string | null) =>
      settle(() => reject(new Error(`its process ended (${signal ?? `exit code ${code}`}) before it had answered`)));
    child.on('message', onMessage);
    child.once('exit', onExit);
    child.send(message, (error) => error && settle(() => reject(error)));
  });
}
