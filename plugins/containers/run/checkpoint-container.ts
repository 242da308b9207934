import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { conflict, EngineError, errorMessage, invalidParameter, notFound, systemError } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import type { Container } from './container';

/** A checkpoint, and where it lies. */
export interface CheckpointReference {
  readonly name: string;
  /** Absolute host path that holds the checkpoints; empty = the container's own folder of them. */
  readonly directory: string;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Under a name of this kind a checkpoint is written; names of checkpoints never begin with a dot. */
const UNFINISHED = '.unfinished-';

/**
 * Writes the state of a running container's processes to disk, by criu.
 *
 * @param options.exit the container ends with it; otherwise it goes on
 * @throws conflict           it does not run, or there is a checkpoint of that name
 * @throws invalid-parameter  bad name, or the container has a terminal
 * @throws not-implemented    criu is not there, or cannot work on this machine
 * @see Docker Engine API, POST /containers/{id}/checkpoints (experimental)
 */
export async function createCheckpoint(
  reference: string,
  checkpoint: CheckpointReference,
  options: { readonly exit: boolean },
  engine: Engine,
): Promise<void> {
  const container = engine.index.get(reference);
  const path = pathOf(container, checkpoint);
  await engine.locks.run(container.id, async () => {
    if (container.state.status !== 'running' || !container.task)
      throw conflict(`Container ${reference} not running: only the processes of one that runs have a state`);
    if (container.record.config.Tty) throw invalidParameter('checkpoint not supported on containers with tty');
    if (await isDirectory(path))
      throw conflict(`checkpoint with name ${checkpoint.name} already exists for container ${reference}`);
    const folder = folderOf(container, checkpoint.directory);
    const unfinished = join(folder, `${UNFINISHED}${checkpoint.name}`);
    try {
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(unfinished, { recursive: true, mode: 0o700 });
      await container.task.checkpoint({ directory: unfinished, exit: options.exit });
      await rename(unfinished, path);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw new EngineError(
        error instanceof EngineError ? error.kind : 'system',
        `Cannot checkpoint container ${reference}: ${errorMessage(error)}`,
        { cause: error },
      );
    }
    publish(engine, container, 'checkpoint');
  });
}

/** Names of the checkpoints of a container. */
export async function listCheckpoints(reference: string, directory: string, engine: Engine): Promise<string[]> {
  const folder = folderOf(engine.index.get(reference), directory);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && NAME.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** @throws not-found  there is none of that name */
export async function deleteCheckpoint(
  reference: string,
  checkpoint: CheckpointReference,
  engine: Engine,
): Promise<void> {
  const container = engine.index.get(reference);
  await engine.locks.run(container.id, async () => {
    await rm(await existing(container, reference, checkpoint), { recursive: true, force: true });
  });
}

/** The directory of a checkpoint that is there. @throws not-found */
export async function existingCheckpoint(
  reference: string,
  checkpoint: CheckpointReference,
  engine: Engine,
): Promise<string> {
  return existing(engine.index.get(reference), reference, checkpoint);
}

/** What a daemon that was killed in the middle of a checkpoint left. */
export async function removeUnfinishedCheckpoints({ directory }: Container): Promise<void> {
  const folder = join(directory, 'checkpoints');
  for (const name of await readdir(folder).catch(() => []))
    if (name.startsWith(UNFINISHED)) await rm(join(folder, name), { recursive: true, force: true });
}

async function existing(container: Container, reference: string, checkpoint: CheckpointReference): Promise<string> {
  const path = pathOf(container, checkpoint);
  if (!(await isDirectory(path)))
    throw notFound(`checkpoint ${checkpoint.name} does not exist for container ${reference}`);
  return path;
}

function pathOf(container: Container, { name, directory }: CheckpointReference): string {
  if (!NAME.test(name)) throw invalidParameter(`Invalid checkpoint ID (${name}), only ${NAME.source} are allowed`);
  return join(folderOf(container, directory), name);
}

function folderOf(container: Container, directory: string): string {
  if (directory === '') return join(container.directory, 'checkpoints');
  if (!isAbsolute(directory))
    throw invalidParameter(`invalid checkpoint directory "${directory}": give an absolute path of the daemon's host`);
  return directory;
}

async function isDirectory(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info !== undefined && !info.isDirectory()) throw systemError(`${path} exists and is not a directory`);
  return info !== undefined;
}
