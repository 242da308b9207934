import os from 'node:os';
import { type ApiRoute, reply } from '@gantry/sdk';
import { currentApiVersion, minimumApiVersion } from '../versions/api-version';
import { askContributors } from './contributions';
import type { CoreRouteDeps } from './core-routes';
import { goArchitecture } from './system-facts';

/** @see Docker Engine API, GET /version */
export function versionRoute(deps: CoreRouteDeps): ApiRoute {
  return {
    method: 'GET',
    path: '/version',
    handle: async () => {
      await deps.starting();
      const { version, gitCommit, buildTime } = deps.version;
      const contributed = await askContributors(deps, 'components', (info) => info.components?.());
      const engine = {
        Name: 'Engine',
        Version: version,
        Details: {
          ApiVersion: currentApiVersion,
          Arch: goArchitecture(),
          BuildTime: buildTime,
          Experimental: String(deps.settings.experimental),
          GitCommit: gitCommit,
          GoVersion: `node ${process.versions.node}`,
          KernelVersion: os.release(),
          MinAPIVersion: minimumApiVersion,
          Os: 'linux',
        },
      };
      return reply.json(200, {
        Platform: { Name: 'Gantry' },
        Components: [engine, ...contributed.flat()],
        Version: version,
        ApiVersion: currentApiVersion,
        MinAPIVersion: minimumApiVersion,
        GitCommit: gitCommit,
        // Clients print the field under the name of Go; this daemon is built with Node.
        GoVersion: `node ${process.versions.node}`,
        Os: 'linux',
        Arch: goArchitecture(),
        KernelVersion: os.release(),
        Experimental: deps.settings.experimental || undefined,
        BuildTime: buildTime,
      });
    },
  };
}
