import { errorMessage } from '@gantry/sdk';
import type { Engine } from '../engine';
import { isAlive } from './state';
import { stopRunning, stopTimeoutS } from './stop-container';

/**
 * The daemon is told to end: containers are stopped side by side, each with its own time-out, unless they are to
 * outlive the daemon (`live-restore`).
 */
export async function stopContainersForShutdown(engine: Engine): Promise<void> {
  engine.stopping = true;
  for (const container of engine.index.all()) {
    container.restartDelay?.abort();
    container.health?.stop();
  }
  if (engine.settings.liveRestore) return;
  const work = engine.index
    .all()
    .filter(({ state }) => isAlive(state))
    .map(async (container) => {
      try {
        await stopRunning(container, undefined, undefined, engine);
        await container.exitHandled;
      } catch (error) {
        engine.log.error('a container could not be stopped', { id: container.id, error: errorMessage(error) });
      }
    });
  const patienceMs = shutdownPatienceMs(engine);
  if (patienceMs === Number.POSITIVE_INFINITY) {
    await Promise.all(work);
    return;
  }
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([Promise.all(work), patience]);
  clearTimeout(timer);
}

/** Between the end of a container's own time-out, when it is killed, and its exit. */
const KILL_GRACE_S = 5;

/**
 * How long the containers may take to stop with the daemon: `shutdown-timeout`, or what the most patient of those that
 * run asks for. Infinite when one of them is waited for without end.
 */
export function shutdownPatienceMs(engine: Pick<Engine, 'settings' | 'index'>): number {
  const { shutdownTimeoutS, liveRestore } = engine.settings;
  if (shutdownTimeoutS < 0) return Number.POSITIVE_INFINITY;
  if (liveRestore) return shutdownTimeoutS * 1000;
  const wanted = engine.index
    .all()
    .filter(({ state }) => isAlive(state))
    .map(({ record }) => stopTimeoutS(record.config));
  if (wanted.some((seconds) => seconds < 0)) return Number.POSITIVE_INFINITY;
  return Math.max(shutdownTimeoutS, ...wanted.map((seconds) => seconds + KILL_GRACE_S)) * 1000;
}
