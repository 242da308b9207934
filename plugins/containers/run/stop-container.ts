import { conflict, errorKind, errorMessage, invalidParameter, notModified, systemError, waitAtMost } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import { within } from '../error-context';
import type { Container } from './container';
import { giveUpRestart } from './exit-handler';
import { parseSignal } from './signals';
import { startContainer } from './start-container';
import { isAlive } from './state';

const DEFAULT_STOP_TIMEOUT_S = 10;
const SIGKILL = 9;
const SIGTERM = 15;
/** How long a pause waits for processes that are being started in the container. */
const ENTER_MS = 10_000;
/** How long a killed container may take to be gone, */
const KILL_WAIT_MS = 10_000;
/** how long when it was killed once more, */
const LAST_WAIT_MS = 2000;
/** and how long what it held may take to be freed once its process is gone. */
const CLEANUP_MS = 60_000;

export interface StopOptions {
  /** Empty = the container's stop signal. */
  readonly signal: string;
  /** Seconds until it is killed; -1 = wait for ever; undefined = the container's own. */
  readonly timeoutS: number | undefined;
}

/** @throws not-modified  it does not run. @see Docker Engine API, POST /containers/{id}/stop */
export async function stopContainer(reference: string, options: StopOptions, engine: Engine): Promise<void> {
  const container = engine.index.get(reference);
  const number =
    options.signal === ''
      ? undefined
      : within(`cannot stop container: ${reference}`, () => parseSignal(options.signal));
  if (container.state.status === 'restarting') {
    await engine.locks.run(container.id, async () => {
      container.record.stoppedByUser = true;
      await giveUpRestart(container, engine);
    });
    if (!isAlive(container.state)) {
      publish(engine, container, 'stop');
      return;
    }
  }
  if (!isAlive(container.state)) throw notModified('Container is already stopped');
  container.record.stoppedByUser = true;
  await stopRunning(container, number, options.timeoutS, engine);
  publish(engine, container, 'stop');
}

/** How long a container may take after its stop signal; negative = without end. */
export const stopTimeoutS = ({ StopTimeout }: { readonly StopTimeout?: number }): number =>
  StopTimeout ?? DEFAULT_STOP_TIMEOUT_S;

/** Asks it to end, waits, and kills it when it does not. */
export async function stopRunning(
  container: Container,
  signal: number | undefined,
  timeoutS: number | undefined,
  engine: Engine,
): Promise<void> {
  const number = signal ?? stopSignal(container);
  const seconds = timeoutS ?? stopTimeoutS(container.record.config);
  const exit = new ExitWait(container);
  try {
    await sendSignal(container, number, engine);
  } catch (error) {
    engine.log.debug('sending the stop signal failed', { id: container.id, error: errorMessage(error) });
    if (!isAlive(container.state)) return exit.end();
  }
  const isGone = await exit.within(seconds < 0 ? undefined : seconds * 1000);
  exit.end();
  if (!isGone) await killAndWait(container, engine);
}

function stopSignal({ record }: Container): number {
  return record.config.StopSignal ? parseSignal(record.config.StopSignal) : SIGTERM;
}

/**
 * Kills it and waits until it is gone and cleaned up.
 *
 * @throws system  its process cannot be killed
 */
export async function killAndWait(container: Container, engine: Engine): Promise<void> {
  if (!isAlive(container.state)) return;
  const exit = new ExitWait(container);
  try {
    await kill(container, engine);
    if (await exit.within(KILL_WAIT_MS)) return;
    if (!(await hasEnded(container))) await container.task?.killAll(SIGKILL).catch(() => undefined);
    if (await exit.within(LAST_WAIT_MS)) return;
    if (!(await hasEnded(container)))
      throw systemError(`tried to kill container, but did not receive an exit event: ${container.id}`);
    engine.log.warn('a killed container takes long to free what it held', { id: container.id });
    await exit.within(CLEANUP_MS);
  } finally {
    exit.end();
  }
}

async function kill(container: Container, engine: Engine): Promise<void> {
  try {
    await sendSignal(container, SIGKILL, engine);
  } catch (error) {
    if (isAlive(container.state)) engine.log.debug('killing failed', { id: container.id, error: errorMessage(error) });
  }
}

/**
 * @param signal name or number
 * @throws conflict  it does not run
 * @see Docker Engine API, POST /containers/{id}/kill
 */
export async function killContainer(reference: string, signal: string, engine: Engine): Promise<void> {
  const { number, container } = within(`cannot kill container: ${reference}`, () => ({
    number: signal === '' ? SIGKILL : signalToSend(signal),
    container: engine.index.get(reference),
  }));
  if (!isAlive(container.state))
    throw conflict(`cannot kill container: ${reference}: container ${container.id} is not running`);
  // Other signals are messages to the program: its restart policy goes on.
  if (number === SIGKILL || number === stopSignal(container)) container.record.stoppedByUser = true;
  if (number === SIGKILL) await killAndWait(container, engine);
  else await sendSignal(container, number, engine);
}

/** A number that is no signal is not bad syntax; it is one this kernel does not have. */
function signalToSend(signal: string): number {
  const number = Number(signal);
  if (/^[+-]?\d+$/.test(signal) && number !== 0 && (number < 0 || number > 64))
    throw invalidParameter(`the linux daemon does not support signal ${number}`);
  return parseSignal(signal);
}

/** @see Docker Engine API, POST /containers/{id}/restart */
export async function restartContainer(
  reference: string,
  options: StopOptions,
  engine: Engine,
  signal: AbortSignal,
): Promise<void> {
  const container = engine.index.get(reference);
  const number =
    options.signal === ''
      ? undefined
      : within(`Cannot restart container ${reference}`, () => parseSignal(options.signal));
  // Keeps `--rm` and the restart policy out of it.
  container.keepStopped = true;
  if (isAlive(container.state)) {
    await stopRunning(container, number, options.timeoutS, engine);
    publish(engine, container, 'stop');
  }
  await startContainer(container.id, engine, signal).catch((error: unknown) => {
    // Somebody else, or its restart policy, was faster: it runs again, as was asked.
    if (errorKind(error) !== 'not-modified') throw error;
  });
  publish(engine, container, 'restart');
}

/** @throws conflict  it does not run or is paused already */
export async function pauseContainer(reference: string, engine: Engine): Promise<void> {
  const container = engine.index.get(reference);
  await engine.locks.run(container.id, async () => {
    const { status } = container.state;
    if (status === 'paused') throw conflict(`Container ${container.id} is already paused`);
    if (status === 'restarting')
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    if (status !== 'running' || !container.task) throw conflict(`container ${container.id} is not running`);
    const { task } = container;
    const patience = () => engine.clock.sleep(ENTER_MS);
    await container.freezeGate
      .freeze(async () => {
        await task.pause();
        // Whoever waits at the gate looks at the state as soon as it opens.
        container.change({ to: 'paused' });
      }, patience)
      .catch(async (error: unknown) => {
        // It ended this moment; its exit waits for the lock.
        if (await hasEnded(container)) throw conflict(`container ${container.id} is not running`);
        throw error;
      });
    await engine.store.save(container.record, { durable: false });
    publish(engine, container, 'pause');
  });
}

/** True when the process is gone although its end has not been dealt with. */
export async function hasEnded({ task }: Container): Promise<boolean> {
  return task === undefined || (await task.status().catch(() => 'stopped')) === 'stopped';
}

/** @throws system  it is not paused, for which dockerd has no better status */
export async function unpauseContainer(reference: string, engine: Engine): Promise<void> {
  const container = engine.index.get(reference);
  await engine.locks.run(container.id, async () => {
    if (container.state.status !== 'paused' || !container.task)
      throw systemError(`Container ${container.id} is not paused`);
    await resume(container, engine);
  });
}

async function resume(container: Container, engine: Engine): Promise<void> {
  await container.task?.resume().catch(async (error: unknown) => {
    if (await hasEnded(container)) throw systemError(`Container ${container.id} is not paused`);
    throw error;
  });
  container.change({ to: 'resumed' });
  await engine.store.save(container.record, { durable: false });
  publish(engine, container, 'unpause');
}

async function sendSignal(container: Container, number: number, engine: Engine): Promise<void> {
  await engine.locks.run(container.id, async () => {
    if (!isAlive(container.state) || !container.task) throw conflict(`container ${container.id} is not running`);
    await container.task.kill(number);
    publish(engine, container, 'kill', { signal: String(number) });
    // A frozen process cannot act on a signal.
    if (container.state.status === 'paused')
      await resume(container, engine).catch(async (error: unknown) => {
        if (!(await hasEnded(container))) throw error;
      });
  });
}

/** Waits for the next exit from when it is made on; the time is counted from each question on. */
class ExitWait {
  private readonly abort = new AbortController();
  private readonly exit: Promise<unknown>;
  private isGone = false;

  constructor(container: Container) {
    this.exit = container.wait('next-exit', this.abort.signal).then((result) => {
      this.isGone = result !== undefined;
    });
  }

  /** True when it is gone in time. */
  async within(timeoutMs: number | undefined): Promise<boolean> {
    if (timeoutMs === undefined) await this.exit;
    else await waitAtMost(timeoutMs, this.exit);
    return this.isGone;
  }

  /** Nobody asks any more. */
  end(): void {
    this.abort.abort();
  }
}
