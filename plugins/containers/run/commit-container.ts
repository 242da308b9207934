import { conflict, errorMessage, type ImageConfig } from '@gantry/sdk';
import type { ContainerConfig } from '../config/container-config';
import { mergeConfig } from '../create/merge-config';
import { type Engine, publish } from '../engine';
import type { Container } from './container';
import { pauseContainer, unpauseContainer } from './stop-container';

export interface CommitRequest {
  /** `name` or `name:tag`; undefined = the image gets no name. */
  readonly tag: string | undefined;
  readonly author: string;
  readonly comment: string;
  /** Freeze a running container while its files are read. */
  readonly pause: boolean;
  /** Dockerfile instructions, one each. */
  readonly changes: readonly string[];
  /** What the image's config begins with; undefined = the container's. */
  readonly config: ContainerConfig | undefined;
}

/**
 * Makes an image of a container's present files.
 *
 * @returns the image's id
 * @throws not-found          no such container, or its image is gone
 * @throws conflict           it is dead or being removed
 * @throws invalid-parameter  a change or the name is malformed
 * @see Docker Engine API, POST /commit
 */
export async function commitContainer(
  reference: string,
  request: CommitRequest,
  engine: Engine,
  signal: AbortSignal,
): Promise<string> {
  const container = engine.index.get(reference);
  const { id, record, state } = container;
  if (state.status === 'dead') throw conflict(`You cannot commit container ${id} which is Dead`);
  if (state.status === 'removing') throw conflict(`You cannot commit container ${id} which is being removed`);
  const thaw = request.pause ? await freeze(container, engine) : undefined;
  try {
    const { image, tag } = await engine.images.commit(
      {
        parentId: record.imageId,
        containerId: id,
        config: imageConfig(mergeConfig(request.config ?? record.config, imageConfig(record.config))),
        changes: request.changes,
        containerConfig: record.config,
        createdBy: (record.config.Cmd ?? []).join(' '),
        author: request.author,
        comment: request.comment,
        ...(request.tag === undefined ? {} : { tag: request.tag }),
      },
      signal,
    );
    publish(engine, container, 'commit', { comment: request.comment, imageID: image.id, imageRef: tag ?? '' });
    return image.id;
  } finally {
    await thaw?.();
  }
}

/** @returns the way back; undefined when it does not run, or a user has paused it */
async function freeze(container: Container, engine: Engine): Promise<(() => Promise<void>) | undefined> {
  if (container.state.status !== 'running') return undefined;
  try {
    await pauseContainer(container.id, engine);
  } catch (error) {
    // It may have ended this moment; its files can be read all the same.
    engine.log.debug('a container is committed without a pause', { id: container.id, error: errorMessage(error) });
    return undefined;
  }
  return async () => {
    // Somebody may have killed or unpaused it meanwhile.
    if (container.state.status !== 'paused') return;
    await unpauseContainer(container.id, engine).catch((error: unknown) => {
      if (container.state.status === 'paused')
        engine.log.warn('unpausing after a commit failed', { id: container.id, error: errorMessage(error) });
    });
  };
}

const imageKeys = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'StopTimeout',
  'Shell',
  'OnBuild',
  'ArgsEscaped',
  'Healthcheck',
] as const satisfies readonly (keyof ImageConfig & keyof ContainerConfig)[];

/** The part of a container's configuration that an image can have. */
function imageConfig(config: ContainerConfig): ImageConfig {
  // A container always has labels, if only none; an image that has none does not say so.
  const isSaid = (key: string, value: unknown) =>
    value !== undefined && !(key === 'Labels' && Object.keys(config.Labels).length === 0);
  return Object.fromEntries(imageKeys.map((key) => [key, config[key]] as const).filter((each) => isSaid(...each)));
}
