import type { ApiRoute } from '@gantry/sdk';
import type { ApiServerDeps } from '../api-server';
import { diskUsageRoute } from './disk-usage';
import { eventsRoute } from './events';
import { infoRoute } from './info';
import { pingRoutes } from './ping';
import { versionRoute } from './version';

export interface CoreRouteDeps extends ApiServerDeps {
  /** URLs at which whoever comes is served: `http://127.0.0.1:2375`. */
  readonly exposedAddresses: () => readonly string[];
  /** Settles when all plugins have started; undefined once that is so. */
  readonly starting: () => Promise<unknown> | undefined;
}

/** The routes the core serves itself. */
export function coreRoutes(deps: CoreRouteDeps): readonly ApiRoute[] {
  return [...pingRoutes(deps), versionRoute(deps), infoRoute(deps), eventsRoute(deps), diskUsageRoute(deps)];
}
