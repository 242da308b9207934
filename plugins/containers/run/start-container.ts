import {
  CleanupStack,
  conflict,
  EngineError,
  errorMessage,
  formatTimeNs,
  notModified,
  type SandboxState,
  systemError,
  type Task,
} from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import { askSpecHooks } from '../hooks/spec-hooks';
import { type CheckpointReference, existingCheckpoint } from './checkpoint-container';
import type { Container } from './container';
import { mountVolumes } from './container-volumes';
import { watchExit } from './exit-handler';
import { startHealthMonitor } from './health-monitor';
import { logInfo } from './log-info';
import { prepareSpec } from './prepare-spec';
import { sandboxRequest } from './sandbox-request';
import { mountSharedMemory } from './shared-memory';
import { startFailure, taskError } from './start-error';
import { isAlive } from './state';
import { unmountSubpaths } from './subpath-mounts';

/**
 * Starts a created or exited container.
 *
 * @param reference full id, unique id prefix, or name
 * @param from      a checkpoint that its processes go on from; absent = its program starts anew
 * @throws not-found     no such container
 * @throws not-modified  it runs already
 * @throws conflict      it is paused or being removed
 * @see Docker Engine API, POST /containers/{id}/start
 */
export async function startContainer(
  reference: string,
  engine: Engine,
  signal: AbortSignal,
  from?: CheckpointReference,
): Promise<void> {
  const container = engine.index.get(reference);
  await engine.locks.run(container.id, async () => {
    const { status } = container.state;
    if (status === 'paused') throw conflict('cannot start a paused container, try unpause instead');
    if (status === 'running') throw notModified('Container is already started');
    assertNotGoing(container);
    container.restartDelay?.abort();
    container.restartBackoffMs = 0;
    container.record.restartCount = 0;
    container.record.stoppedByUser = false;
    const checkpoint = from && (await existingCheckpoint(reference, from, engine));
    await startLocked(container, engine, signal, checkpoint);
  });
}

/** Starts it; the caller holds the container's lock. On failure everything is undone and the reason is recorded. */
export async function startLocked(
  container: Container,
  engine: Engine,
  signal: AbortSignal,
  checkpoint?: string,
): Promise<void> {
  assertNotGoing(container);
  const undo = new CleanupStack();
  try {
    const task = await runPlan(container, engine, undo, signal, checkpoint);
    const now = formatTimeNs(engine.clock.nowNs());
    container.task = task;
    container.keepStopped = false;
    container.record.started = true;
    container.change({ to: 'running', pid: task.pid, at: now });
    undo.release();
    // Not durable: after a crash the runtime tells what runs.
    void engine.store.save(container.record, { durable: false }).catch((error: unknown) => {
      engine.log.warn('could not write a record', { id: container.id, error: errorMessage(error) });
    });
    publish(engine, container, 'start');
    startHealthMonitor(container, engine);
    watchExit(container, task, engine);
  } catch (cause) {
    await recordFailure(container, cause, engine, undo);
  }
}

/** Each step leaves its undo on the stack before the next one begins. */
async function runPlan(
  container: Container,
  engine: Engine,
  undo: CleanupStack,
  signal: AbortSignal,
  checkpoint: string | undefined,
): Promise<Task> {
  const { record, directory } = container;
  const runtime = engine.runtimes.get(record.hostConfig.Runtime);
  if (runtime === undefined) throw systemError(`unknown or invalid runtime name: ${record.hostConfig.Runtime}`);

  const [rootPath, sandbox, volumePaths] = await allOrFirstError([
    mountRootFilesystem(container, engine, undo),
    openSandbox(container, engine, undo, signal),
    mountVolumes(container, engine, undo, signal),
    mountSharedMemory(record, directory).then((unmount) => undo.push(unmount)),
  ] as const);
  record.lastEndpoints = endpointsOf(sandbox);
  undo.push(() => unmountSubpaths(record, directory));
  const prepared = await prepareSpec({ record, directory, rootPath, sandbox, volumePaths }, engine);
  const { spec, patches } = await askSpecHooks(prepared, record, engine, signal);
  const atCreation = (record.hookPatches ?? []).filter(({ phase }) => phase === 'create');
  record.hookPatches = [...atCreation, ...patches];

  const openStdin = record.config.OpenStdin;
  const terminal = record.config.Tty;
  const task = await engine.creations
    .run(() => runtime.create({ id: record.id, spec, openStdin, terminal, checkpoint }, signal))
    .catch((error: unknown) => {
      throw taskError(error);
    });
  undo.push(() => task.delete());
  // The runtime has mounts of its own by now.
  await unmountSubpaths(record, directory);
  const pump = await engine.logs.startPump(record.log.type, logInfo(container), task.streams);
  undo.push(() => pump.close());
  container.pump = pump;
  container.attachments.begin(pump, task.streams);
  await task.start().catch((error: unknown) => {
    throw taskError(error);
  });
  return task;
}

const endpointsOf = (sandbox: SandboxState | undefined) =>
  Object.fromEntries(
    (sandbox?.endpoints ?? []).map(({ networkName, networkId, dnsNames }) => [networkName, { networkId, dnsNames }]),
  );

async function mountRootFilesystem(container: Container, engine: Engine, undo: CleanupStack): Promise<string> {
  const rootFilesystem = await engine.images.openRootFilesystem(container.id);
  undo.push(() => rootFilesystem.unmount());
  return rootFilesystem.mount();
}

async function openSandbox(
  container: Container,
  engine: Engine,
  undo: CleanupStack,
  signal: AbortSignal,
): Promise<SandboxState | undefined> {
  const request = sandboxRequest(container);
  if (request === undefined) return undefined;
  undo.push(() => engine.networks.closeSandbox(container.id));
  try {
    return await engine.networks.openSandbox(request, signal);
  } catch (error) {
    throw new EngineError(
      error instanceof EngineError ? error.kind : 'system',
      `failed to set up container networking: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

async function recordFailure(container: Container, cause: unknown, engine: Engine, undo: CleanupStack): Promise<never> {
  const { error, exitCode } = startFailure(cause);
  for (const failure of await undo.runAll())
    engine.log.warn('undoing a failed start left something behind', { id: container.id, error: errorMessage(failure) });
  container.pump = undefined;
  container.attachments.end();
  container.change({ to: 'start-failed', exitCode, error: error.message, started: container.record.started });
  await engine.store.save(container.record, { durable: true });
  throw error;
}

function assertNotGoing(container: Container): void {
  const { status } = container.state;
  if (status === 'removing' || status === 'dead')
    throw conflict('container is marked for removal and cannot be started');
  if (isAlive(container.state)) throw notModified('Container is already started');
}

/** Waits for all, so that what each made is on the undo stack; then throws the first error. */
async function allOrFirstError<T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [K in keyof T]: Awaited<T[K]>;
  };
}
