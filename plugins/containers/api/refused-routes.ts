import { type ApiRoute, type HttpMethod, notImplemented } from '@gantry/sdk';
import type { Engine } from '../engine';

/** Operations of the API that this engine does not offer: they exist and say so. */
export function refusedRoutes(engine: Engine): ApiRoute[] {
  const refuse = (method: HttpMethod, path: string, feature: string): ApiRoute => ({
    method,
    path,
    handle: (request) => {
      const id = request.params.id;
      if (id !== undefined) engine.index.get(id);
      throw notImplemented(`${feature} is not supported: this daemon does not drive criu`);
    },
  });
  return [
    refuse('GET', '/containers/{id}/checkpoints', 'checkpointing'),
    refuse('POST', '/containers/{id}/checkpoints', 'checkpointing'),
    refuse('DELETE', '/containers/{id}/checkpoints/{checkpoint}', 'checkpointing'),
  ];
}
