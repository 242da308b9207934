import { absentPlugin, errorMessage, formatTimeNs, parseTimeNs, type Task, waitAtMost } from '@gantry/sdk';
import type { Engine } from '../engine';
import { removeUnfinishedCheckpoints } from './checkpoint-container';
import { Container } from './container';
import { handleExit, releaseRun, watchExit } from './exit-handler';
import { startHealthMonitor } from './health-monitor';
import { logInfo } from './log-info';
import { startWhenPluginsCome } from './plugin-waits';
import { reconcileNetworks } from './reconcile-networks';
import { removeContainer, removeLocked } from './remove-container';
import { startsWithDaemon } from './restart-policy';
import { isAlive } from './state';
import { unmountSubpaths } from './subpath-mounts';

/** How long the start of the daemon waits for the plugins of containers. */
const PATIENCE_MS = 2000;
/** How often a log driver that is not there is asked again. */
const LOG_PAUSE_MS = 1500;

/** What a daemon before this one left running. */
interface Survivor {
  readonly container: Container;
  readonly task: Task;
  readonly status: 'running' | 'paused' | 'stopped';
}

/** Reads the records; nothing runs yet as far as we know. */
export async function loadContainers(engine: Engine): Promise<void> {
  const records = await engine.store.load();
  const createdNs = new Map(records.map((record) => [record, parseTimeNs(record.createdAt) ?? 0n]));
  records.sort((a, b) => Number(createdNs.get(a)! - createdNs.get(b)!));
  for (const record of records) {
    engine.index.add(new Container(record, engine.store.directory(record.id)));
    for (const { type, name } of record.mounts) if (type === 'volume') engine.volumes.reference(name, record.id);
  }
}

/**
 * Rebuilds the truth after a start of the daemon: containers that kept running are taken over, those that ended
 * meanwhile get their exit code, what belongs to nobody is removed, and restart policies apply.
 */
export async function restoreContainers(engine: Engine): Promise<void> {
  const survivors = await reconnectAll(engine);
  const alive = new Set(survivors.filter(({ status }) => status !== 'stopped').map(({ container }) => container.id));
  const held = new Set(survivors.map(({ container }) => container.id));
  await engine.networks.restore(alive);
  const running = survivors.filter(({ status }) => status !== 'stopped');
  await waitAtMost(PATIENCE_MS, Promise.all(running.map(({ container }) => reconcileNetworks(container, engine))));
  for (const { container } of survivors)
    for (const { type, name, mountId } of container.record.mounts)
      if (type === 'volume') engine.volumes.adoptMount(name, mountId);
  await engine.images.collectRootFilesystems(
    new Set(
      engine.index
        .all()
        .flatMap(({ id, record }) => [
          id,
          ...record.mounts.filter(({ type }) => type === 'image').map(({ mountId }) => mountId),
        ]),
    ),
  );

  const ended = engine.index.all().filter(({ id }) => !held.has(id));
  const work = ended.map(async (container) => {
    await settle(container, engine);
    await removeUnfinishedCheckpoints(container);
    applyRestartPolicy(container, engine);
  });
  await waitAtMost(PATIENCE_MS, Promise.all([...work, ...survivors.map((survivor) => adopt(survivor, engine))]));
  // Some may be gone by now: they had ended, and were to be removed then.
  await Promise.all(survivors.map(({ container }) => removeUnfinishedCheckpoints(container)));
  // Not awaited: a volume driver may take its time.
  void removeUnfinished(engine);
}

/** Removes the anonymous volumes of containers that were being made when a daemon before this one was killed. */
async function removeUnfinished(engine: Engine): Promise<void> {
  for (const { id, volumes } of engine.store.unfinished.splice(0)) {
    engine.log.info('removing what was made for a container that has no record', { id });
    try {
      for (const name of volumes)
        if (engine.volumes.referencedBy(name).length === 0) await engine.volumes.remove(name, { force: true });
      await engine.store.remove(id);
    } catch (error) {
      engine.log.warn('a volume of an unfinished container could not be removed', { id, error: errorMessage(error) });
    }
  }
}

async function reconnectAll(engine: Engine): Promise<Survivor[]> {
  const survivors: Survivor[] = [];
  const work = engine.runtimes.entries().map(async ([name, runtime]) => {
    const ids = await runtime.list();
    await Promise.all(
      ids.map(async (id) => {
        const container = engine.index.find(id);
        // Several names may stand for one runtime: only the container's own takes it over.
        if (container && container.record.hostConfig.Runtime !== name) return;
        const task = container ? await reconnect(container, engine) : undefined;
        if (container === undefined || task === undefined) {
          if (container === undefined) engine.log.info('removing what is left of an unknown container', { id });
          await runtime.purge(id);
          return;
        }
        const status = await task.status();
        if (status === 'created') {
          await task.delete();
          return;
        }
        survivors.push({ container, task, status });
      }),
    );
  });
  for (const result of await Promise.allSettled(work))
    if (result.status === 'rejected')
      engine.log.error('a runtime could not tell what it runs', { error: errorMessage(result.reason) });
  return survivors;
}

async function reconnect(container: Container, engine: Engine): Promise<Task | undefined> {
  const { id, config, hostConfig } = container.record;
  try {
    return await engine.runtimes
      .get(hostConfig.Runtime)
      ?.reconnect(id, { openStdin: config.OpenStdin, terminal: config.Tty });
  } catch (error) {
    engine.log.error('a container could not be reconnected', { id, error: errorMessage(error) });
    return undefined;
  }
}

async function adopt({ container, task, status }: Survivor, engine: Engine): Promise<void> {
  const { record } = container;
  await unmountSubpaths(record, container.directory);
  container.task = task;
  record.started = true;
  // The record may be older than what really happened: the runtime knows better.
  record.state = {
    ...record.state,
    status: status === 'paused' ? 'paused' : 'running',
    pid: task.pid,
    startedAt: isAlive(record.state) ? record.state.startedAt : formatTimeNs(engine.clock.nowNs()),
  };
  container.touch();
  // Otherwise a record from before a start that was never acknowledged would tell another time at each boot.
  await engine.store.save(record, { durable: false });
  await waitAtMost(PATIENCE_MS, continueLog(container, task, engine));
  if (status === 'stopped') {
    await engine.locks.run(record.id, async () => handleExit(container, task, await task.wait(), engine));
    return;
  }
  startHealthMonitor(container, engine);
  watchExit(container, task, engine);
}

/** A container whose log driver is not there waits for it with what it prints: nothing is lost. */
async function continueLog(container: Container, task: Task, engine: Engine): Promise<void> {
  const { record } = container;
  for (let isWaiting = false; container.task === task && !engine.stopping; isWaiting = true) {
    try {
      const how = { isResumed: true };
      container.pump = await engine.logs.startPump(record.log.type, logInfo(container), task.streams, how);
      container.attachments.begin(container.pump, task.streams);
      return;
    } catch (error) {
      const plugin = absentPlugin(error);
      if (!isWaiting)
        engine.log.error('the log of a container could not be continued', {
          id: record.id,
          error: errorMessage(error),
          ...(plugin === undefined ? {} : { waitsFor: plugin.name }),
        });
      if (plugin === undefined) return;
      await engine.clock.sleep(LOG_PAUSE_MS);
    }
  }
}

/** A container of which nothing runs any more, whatever its record says. */
async function settle(container: Container, engine: Engine): Promise<void> {
  const { record } = container;
  const { status } = record.state;
  if (status === 'removing') {
    await engine.locks
      .run(record.id, () =>
        removeLocked(container, { volumes: record.hostConfig.AutoRemove || record.removesVolumes === true }, engine),
      )
      .catch((error: unknown) => {
        engine.log.warn('finishing a removal failed', { id: record.id, error: errorMessage(error) });
      });
    return;
  }
  // Whoever starts it now waits until it is free.
  await engine.locks.run(record.id, () => releaseRun(container, undefined, engine));
  if (isAlive(record.state) || status === 'restarting') {
    // The machine went down with it: nobody saw its exit code.
    record.state = {
      ...record.state,
      status: 'exited',
      pid: 0,
      exitCode: status === 'restarting' ? record.state.exitCode : 255,
      finishedAt: status === 'restarting' ? record.state.finishedAt : formatTimeNs(engine.clock.nowNs()),
    };
    container.touch();
    if (!record.hostConfig.AutoRemove) await engine.store.save(record, { durable: true });
  }
  // Whoever asked for it to vanish is gone too, also when it never got to run.
  if (record.hostConfig.AutoRemove)
    await removeContainer(record.id, { force: true, volumes: true }, engine).catch((error: unknown) => {
      engine.log.warn('removing an ended container failed', { id: record.id, error: errorMessage(error) });
    });
}

function applyRestartPolicy(container: Container, engine: Engine): void {
  const { record } = container;
  if (!record.started || isAlive(record.state) || record.state.status === 'restarting') return;
  const starts = startsWithDaemon(record.hostConfig.RestartPolicy, {
    exitCode: record.state.exitCode,
    stoppedByUser: record.stoppedByUser,
    restartCount: record.restartCount,
  });
  if (!starts || engine.stopping) return;
  container.restartBackoffMs = 0;
  record.restartCount = 0;
  record.stoppedByUser = false;
  // Not awaited: the API is there while they come up.
  void startWhenPluginsCome(container, engine).catch((error: unknown) => {
    engine.log.warn('a container could not be started with the daemon', { id: record.id, error: errorMessage(error) });
  });
}
