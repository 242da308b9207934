import { absentPlugin, type ExitStatus, errorMessage, formatTimeNs, type Task } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import { forgetUnstarted } from '../exec/exec';
import { waitWhileMoving } from '../io/stream-end';
import type { Container } from './container';
import { unmountVolume } from './container-volumes';
import { startWhenPluginsCome } from './plugin-waits';
import { removeLocked } from './remove-container';
import { restartDelayMs } from './restart-policy';
import { unmountSharedMemory } from './shared-memory';
import { startLocked } from './start-container';
import { nextState } from './state';
import { unmountSubpaths } from './subpath-mounts';

/** Follows a task to its end and does what must be done then. Never rejects. */
export function watchExit(container: Container, task: Task, engine: Engine): void {
  container.exitHandled = task
    .wait()
    .then((exit) => engine.locks.run(container.id, () => handleExit(container, task, exit, engine)))
    .catch((error: unknown) => {
      engine.log.error('handling the end of a container failed', { id: container.id, error: errorMessage(error) });
    });
}

/** How long a container that has closed its output may take to be known as ended. */
const EXIT_NEWS_MS = 500;

/**
 * Waits a moment for the exit of a container whose output has ended. Who reads the output to its end and then asks for
 * the next start must not hear that it still runs.
 */
export async function settleExit(container: Container, engine: Engine): Promise<void> {
  const { pump, exitHandled } = container;
  if (container.state.status !== 'running') return;
  const isOver =
    // Without a pump its exit is being dealt with.
    pump === undefined ||
    (await Promise.race([pump.done.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]));
  if (!isOver) return;
  const enough = new AbortController();
  const late = engine.clock.sleep(EXIT_NEWS_MS, enough.signal).catch(() => {});
  await Promise.race([exitHandled, late]);
  enough.abort();
}

/** The caller holds the container's lock. */
export async function handleExit(container: Container, task: Task, exit: ExitStatus, engine: Engine): Promise<void> {
  if (container.task !== task) return;
  const { record } = container;
  container.health?.stop();
  forgetUnstarted(container, engine);
  const [oomKilled] = await Promise.all([
    task.oomKilled().catch(() => false),
    container.pump && waitWhileMoving(container.pump.done, () => container.attachments.deliveredBytes),
  ]);
  await container.pump?.close();
  container.pump = undefined;
  container.attachments.end();

  const ranMs = exit.exitedAt.getTime() - Date.parse(record.state.startedAt);
  const delayMs = restartDelayMs(record.hostConfig.RestartPolicy, {
    exitCode: exit.code,
    ranMs,
    restartCount: record.restartCount,
    stoppedOnPurpose: container.keepStopped || record.stoppedByUser || engine.stopping,
    lastBackoffMs: container.restartBackoffMs,
  });
  const change = {
    to: delayMs === undefined ? 'exited' : 'restarting',
    exitCode: exit.code,
    oomKilled,
    at: formatTimeNs(exit.exitedAtNs ?? BigInt(exit.exitedAt.getTime()) * 1_000_000n),
  } as const;
  const autoRemove = record.hostConfig.AutoRemove && !container.keepStopped;
  if (delayMs !== undefined) record.restartCount++;
  // Before the runtime forgets it: an exit code must survive a crash in between. What is removed needs none.
  if (!autoRemove) await engine.store.save({ ...record, state: nextState(record.state, change) }, { durable: true });
  await releaseRun(container, task, engine);
  container.task = undefined;
  container.change(change);
  if (oomKilled) publish(engine, container, 'oom');
  publish(engine, container, 'die', {
    exitCode: String(exit.code),
    execDuration: String(Math.max(0, Math.floor(ranMs / 1000))),
  });
  if (delayMs !== undefined) restartLater(container, delayMs, engine);
  else if (autoRemove) await removeLocked(container, { volumes: true }, engine);
}

/** Frees what a run held. Goes on when something fails; nothing here can be retried better later. */
export async function releaseRun(container: Container, task: Task | undefined, engine: Engine): Promise<void> {
  const results = await Promise.allSettled([
    task?.delete(),
    engine.networks.closeSandbox(container.id),
    unmountSubpaths(container.record, container.directory),
    (async () => {
      unmountSharedMemory(container.record, container.directory);
      // Who copies from it at this moment unmounts it afterwards.
      if (container.openViews === 0) await (await engine.images.openRootFilesystem(container.id)).unmount();
    })(),
    ...container.record.mounts.map(async (point) => {
      if (point.type === 'volume') await unmountVolume(container, point, engine);
      if (point.type === 'image') await (await engine.images.openRootFilesystem(point.mountId)).unmount();
    }),
  ]);
  for (const result of results)
    if (result.status === 'rejected')
      engine.log.warn('cleaning up after a container failed', {
        id: container.id,
        error: errorMessage(result.reason),
      });
}

function restartLater(container: Container, delayMs: number, engine: Engine): void {
  container.restartBackoffMs = delayMs;
  const delay = new AbortController();
  container.restartDelay = delay;
  void (async () => {
    try {
      await engine.clock.sleep(delayMs, delay.signal);
    } catch {
      return;
    }
    await engine.locks.run(container.id, async () => {
      if (delay.signal.aborted || container.state.status !== 'restarting' || engine.stopping) return;
      await startLocked(container, engine, new AbortController().signal).catch((error: unknown) => {
        engine.log.warn('restarting a container failed', { id: container.id, error: errorMessage(error) });
        if (absentPlugin(error) !== undefined) void startWhenPluginsCome(container, engine).catch(() => undefined);
      });
    });
  })();
}

/** Ends the wait for a restart; the container stays down. The caller holds the lock. */
export async function giveUpRestart(container: Container, engine: Engine): Promise<void> {
  container.restartDelay?.abort();
  if (container.state.status !== 'restarting') return;
  container.change({ to: 'restart-given-up' });
  await engine.store.save(container.record, { durable: true });
}
