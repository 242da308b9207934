import { join } from 'node:path';
import type { LogInfo } from '@gantry/sdk';
import type { Container } from './container';

/** The container as log drivers see it. */
export function logInfo(container: Container): LogInfo {
  const { id, name, imageId, config, path, args, createdAt, log } = container.record;
  return {
    containerId: id,
    containerName: name,
    imageId,
    imageName: config.Image,
    entrypoint: path,
    args,
    createdAt: new Date(createdAt),
    env: config.Env,
    labels: config.Labels,
    logPath: join(container.directory, `${id}-json.log`),
    options: log.options,
  };
}
