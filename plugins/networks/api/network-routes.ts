import { type ApiRoute, type DaemonSettings, type EventBus, invalidParameter, notFound, reply } from '@gantry/sdk';
import type { NetworkRegistry } from '../networks/network-registry';
import type { Sandboxes } from '../sandbox/sandboxes';
import { matchesFilters, parseListFilters, parsePruneFilters } from './network-filters';
import { parseCreate } from './parse-create';
import { pruneNetworks } from './prune-networks';
import { renderNetwork } from './render-network';

/** `/networks` without connect and disconnect, which belong to containers. */
export function networkRoutes(
  registry: NetworkRegistry,
  sandboxes: Sandboxes,
  deps: {
    readonly events: EventBus;
    /** Driver → options of new networks that do not set them. */
    readonly defaultOptions: DaemonSettings['defaultNetworkOptions'];
  },
): ApiRoute[] {
  const list: ApiRoute['handle'] = ({ query }) => {
    const filters = parseListFilters(query.get('filters'));
    const networks = registry.list().filter((network) => matchesFilters(network, sandboxes, filters));
    // The list shows no containers, as dockerd since API 1.28.
    return reply.json(
      200,
      networks.map((network) => renderNetwork(network, undefined)),
    );
  };
  return [
    { method: 'GET', path: '/networks', handle: list },
    // Of all lists this one alone is served with the slash too: some clients send it.
    { method: 'GET', path: '/networks/', handle: list },
    {
      method: 'GET',
      path: '/networks/{id}',
      handle({ params, query }) {
        const network = registry.get(params.id!);
        const scope = query.get('scope') ?? '';
        const verbose = query.get('verbose') ?? '';
        if (!/^(|[01]|t|f|true|false)$/i.test(verbose))
          throw invalidParameter(`invalid value for verbose: strconv.ParseBool: parsing "${verbose}": invalid syntax`);
        if (scope !== '' && scope !== network.scope) throw notFound(`network ${params.id} not found`);
        return reply.json(200, renderNetwork(network, sandboxes));
      },
    },
    {
      method: 'POST',
      path: '/networks/create',
      async handle(request) {
        const { spec, warning } = parseCreate(await request.json(), deps.defaultOptions);
        const network = await registry.create(spec);
        return reply.json(201, { Id: network.id, Warning: warning });
      },
    },
    {
      method: 'DELETE',
      path: '/networks/{id}',
      async handle({ params }) {
        await registry.remove(params.id!);
        return reply.empty(204);
      },
    },
    {
      method: 'POST',
      path: '/networks/prune',
      since: '1.25',
      async handle({ query }) {
        const filters = parsePruneFilters(query.get('filters'));
        const removed = await pruneNetworks(registry, sandboxes, filters, deps.events);
        return reply.json(200, { NetworksDeleted: removed.length > 0 ? removed : null });
      },
    },
  ];
}
