import type { ContainerManager, ContainerRequest, ContainerSummary } from '@gantry/sdk';
import { configDocument, hostConfigDocument } from './config/container-config';
import { createContainer } from './create/create-container';
import { type Engine, publish } from './engine';
import type { Container } from './run/container';
import { removeContainer } from './run/remove-container';
import { startContainer } from './run/start-container';

/** The engine as other plugins see it. */
export function containerManager(engine: Engine): ContainerManager {
  return {
    get: (reference) => summarize(engine.index.get(reference)),
    list: () => engine.index.all().map(summarize),
    create: (request, signal) => createContainer(parse(request), engine, signal),
    start: (id, signal) => startContainer(id, engine, signal),
    attach: (id, onOutput, signal) => follow(engine.index.get(id), onOutput, signal, engine),
    wait: (id, signal) => engine.index.get(id).wait('not-running', signal),
    remove: (id, options) => removeContainer(id, options, engine),
  };
}

function summarize({ id, record }: Container): ContainerSummary {
  return {
    id,
    name: record.name,
    imageId: record.imageId,
    labels: record.config.Labels,
    status: record.state.status,
  };
}

function parse({ id, name, config, hostConfig }: ContainerRequest) {
  return {
    ...(id === undefined ? {} : { id }),
    name: name ?? '',
    platform: '',
    config: configDocument.decode(config, ''),
    hostConfig: hostConfigDocument.decode(hostConfig, ''),
    endpoints: {},
  };
}

function follow(
  container: Container,
  onOutput: Parameters<ContainerManager['attach']>[1],
  signal: AbortSignal,
  engine: Engine,
): Promise<void> {
  publish(engine, container, 'attach');
  return new Promise((resolve) => {
    const finish = () => {
      signal.removeEventListener('abort', finish);
      leave();
      resolve();
    };
    const leave = container.attachments.add({ data: onOutput, started: () => {}, ended: () => finish() });
    signal.addEventListener('abort', finish, { once: true });
    if (signal.aborted) finish();
  });
}
