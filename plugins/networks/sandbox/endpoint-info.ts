import type { LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

/**
 * Asks every driver about the sandbox's endpoints when these have changed, as dockerd does (`EndpointOperInfo`): plugins
 * take it as the word that an endpoint is in use. The answers decide nothing, so neither do failures.
 */
export async function askAboutEndpoints(deps: SandboxDeps, sandbox: LiveSandbox): Promise<void> {
  await Promise.allSettled(
    sandbox.endpoints.map(async ({ networkId, endpointId }) => {
      const network = deps.networks.byId(networkId);
      if (network !== undefined) await deps.drivers.get(network.driver)?.endpointInfo(networkId, endpointId);
    }),
  );
}
