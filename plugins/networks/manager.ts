import type { NetworkManager, SandboxState } from '@gantry/sdk';
import { type NetworkRegistry, summaryOf } from './networks/network-registry';
import { type SandboxRecord, sandboxState } from './records/sandbox-record';
import { assertEndpointRequest } from './sandbox/endpoint-check';
import { type LiveSandbox, recordOf } from './sandbox/live-sandbox';
import type { Sandboxes } from './sandbox/sandboxes';

/** `networks/v1`: the registry and the sandboxes as the other plugins see them. */
export function createNetworkManager(
  registry: NetworkRegistry,
  sandboxes: Sandboxes,
  restore: (running: ReadonlySet<string>) => Promise<void>,
): NetworkManager {
  const states = new WeakMap<LiveSandbox, { readonly of: SandboxRecord; readonly state: SandboxState }>();
  const state = (sandbox: LiveSandbox): SandboxState => {
    const known = states.get(sandbox);
    if (known !== undefined && known.of.request === sandbox.request && known.of.endpoints === sandbox.endpoints)
      return known.state;
    const of = recordOf(sandbox);
    const made = sandboxState(of, (id) => registry.byId(id)?.name ?? '');
    states.set(sandbox, { of, state: made });
    return made;
  };
  return {
    defaultNetwork: 'bridge',
    get: async (reference) => summaryOf(registry.get(reference === 'default' ? 'bridge' : reference)),
    checkEndpoint(endpoint) {
      const network = registry.find(endpoint.network);
      if (network !== undefined) assertEndpointRequest(endpoint, network);
    },
    list: () => registry.list().map(summaryOf),
    openSandbox: async (request, signal) => state(await sandboxes.open(request, signal)),
    closeSandbox: (containerId) => sandboxes.close(containerId),
    sandbox(containerId) {
      const sandbox = sandboxes.get(containerId);
      return sandbox && state(sandbox);
    },
    connect: async (containerId, endpoint) => state(await sandboxes.connect(containerId, endpoint)),
    async disconnect(containerId, network, force) {
      const sandbox = await sandboxes.disconnect(containerId, registry.get(network).id, force);
      return sandbox && state(sandbox);
    },
    rename: (containerId, name) => sandboxes.rename(containerId, name),
    restore,
  };
}
