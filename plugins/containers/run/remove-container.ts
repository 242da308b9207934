import { conflict, errorMessage, notFound } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import type { Container } from './container';
import { giveUpRestart } from './exit-handler';
import { logInfo } from './log-info';
import { isAlive } from './state';
import { killAndWait } from './stop-container';

export interface RemoveOptions {
  readonly force: boolean;
  /** Anonymous volumes go too. */
  readonly volumes: boolean;
}

/**
 * Removes a container.
 *
 * @throws not-found  no such container
 * @throws conflict   it runs and `force` is not set, or its removal is under way
 * @see Docker Engine API, DELETE /containers/{id}
 */
export async function removeContainer(reference: string, options: RemoveOptions, engine: Engine): Promise<void> {
  const container = engine.index.get(reference);
  const { id } = container.record;
  if (container.state.status === 'removing') throw conflict(`removal of container ${reference} is already in progress`);
  for (let attempt = 1; ; attempt++) {
    if (options.force) {
      container.keepStopped = true;
      container.restartDelay?.abort();
      if (isAlive(container.state)) await killAndWait(container, engine);
    }
    const isOver = await engine.locks.run(id, () =>
      removeUnlessRunning(container, reference, options, engine, attempt),
    );
    if (isOver) return;
  }
}

/** A restart that had begun before the removal may bring it up again once more. */
const ATTEMPTS = 5;

/** @returns false when it runs (again) and must be killed first. The caller holds the lock. */
async function removeUnlessRunning(
  container: Container,
  reference: string,
  options: RemoveOptions,
  engine: Engine,
  attempt: number,
): Promise<boolean> {
  const { id } = container.record;
  if (engine.index.find(id) === undefined) {
    if (options.force) return true;
    throw notFound(`No such container: ${reference}`);
  }
  const { status } = container.state;
  if (status === 'restarting' && options.force) await giveUpRestart(container, engine);
  else if (isAlive(container.state) && options.force && attempt < ATTEMPTS) return false;
  else if (isAlive(container.state) || status === 'restarting') {
    const advice =
      status === 'paused'
        ? 'container is paused and must be unpaused first'
        : `container is ${status}: stop the container before removing or force remove`;
    throw conflict(`cannot remove container "${reference}": ${advice}`);
  }
  await removeLocked(container, options, engine);
  return true;
}

/** Removes a stopped container; the caller holds its lock. */
export async function removeLocked(
  container: Container,
  options: { readonly volumes: boolean },
  engine: Engine,
): Promise<void> {
  const { id, mounts } = container.record;
  container.change({ to: 'removing' });
  try {
    // A daemon that dies in the middle of this goes on with it when it is back.
    container.record.removesVolumes = options.volumes;
    await engine.store.save(container.record, { durable: false });
    await Promise.all([
      engine.images.removeRootFilesystem(id),
      ...mounts
        .filter(({ type }) => type === 'image')
        .map(({ mountId }) => engine.images.removeRootFilesystem(mountId)),
      engine.logs.remove(container.record.log.type, logInfo(container)),
      engine.networks.closeSandbox(id),
    ]);
    await removeVolumes(container, options, engine);
    await engine.store.remove(id);
  } catch (error) {
    container.change({ to: 'dead' });
    container.markRemovalFailed(errorMessage(error));
    await engine.store.save(container.record, { durable: true }).catch(() => undefined);
    throw error;
  }
  for (const exec of container.execs.values()) engine.execs.delete(exec.id);
  engine.index.remove(container);
  publish(engine, container, 'destroy');
  container.markRemoved();
}

/** Gives its volumes free, and removes those without a name that nobody else uses when that is asked for. */
async function removeVolumes(
  { record: { id, mounts } }: Container,
  options: { readonly volumes: boolean },
  engine: Engine,
): Promise<void> {
  for (const { type, name, anonymous } of mounts) {
    if (type !== 'volume') continue;
    engine.volumes.dereference(name, id);
    if (!options.volumes || !anonymous || engine.volumes.referencedBy(name).length > 0) continue;
    await engine.volumes.remove(name, { force: true }).catch((error: unknown) => {
      engine.log.warn('an anonymous volume could not be removed', { id, volume: name, error: errorMessage(error) });
    });
  }
}
