import { errorMessage } from '@gantry/sdk';
import type { Engine } from '../engine';
import { isAlive } from './state';
import { stopRunning } from './stop-container';

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
  const { shutdownTimeoutS } = engine.settings;
  if (shutdownTimeoutS < 0) {
    await Promise.all(work);
    return;
  }
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, shutdownTimeoutS * 1000);
  });
  await Promise.race([Promise.all(work), patience]);
  clearTimeout(timer);
}
