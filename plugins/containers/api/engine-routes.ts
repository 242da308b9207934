import type { ApiRoute } from '@gantry/sdk';
import type { Engine } from '../engine';
import { archiveRoutes } from './archive-routes';
import { checkpointRoutes } from './checkpoint-routes';
import { commitRoute } from './commit-route';
import { containerRoutes } from './container-routes';
import { execRoutes } from './exec-routes';
import { networkRoutes } from './network-routes';
import { observeRoutes } from './observe-routes';
import { streamRoutes } from './stream-routes';
import { waitRoute } from './wait-route';

/** Every operation the engine serves. */
export function engineRoutes(engine: Engine): ApiRoute[] {
  return [
    ...containerRoutes(engine),
    ...streamRoutes(engine),
    ...execRoutes(engine),
    ...networkRoutes(engine),
    ...archiveRoutes(engine),
    ...observeRoutes(engine),
    commitRoute(engine),
    waitRoute(engine),
    ...checkpointRoutes(engine),
  ];
}
