import { type ApiRoute, EngineError, type HttpMethod, notFound, notImplemented, reply, unavailable } from '@gantry/sdk';

type Route = [method: HttpMethod, path: string, handle: ApiRoute['handle']];

/** A group of routes that some plugin serves, and what clients hear while none does. */
interface Room {
  readonly firstSegments: readonly string[];
  readonly routes: readonly Route[];
}

const refuse = (message: string) => () => {
  throw notImplemented(message);
};

const noBuilder = refuse(
  'this daemon has no builder: no plugin that provides /build is configured; build elsewhere and load or push the image',
);
const noSession = refuse(
  'this daemon has no BuildKit, so it cannot open a build session; build elsewhere, for instance with a buildx container driver, and load or push the image',
);
const noPluginManager = refuse(
  'managed plugins are not available: no plugin that provides /plugins is configured; name plugins in daemon.json, or put their sockets into /run/docker/plugins',
);
const noSwarm = refuse('cluster mode is not available: no plugin that provides /swarm is configured');
// Clients look for this answer to learn that they do not talk to a manager.
const notManager = () => {
  throw unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
};

const swarmObjects: readonly Route[] = ['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((room): Route[] => [
  ['GET', `/${room}`, notManager],
  ['POST', `/${room}/create`, notManager],
  ['GET', `/${room}/{id}`, notManager],
  ['GET', `/${room}/{id}/logs`, notManager],
  ['POST', `/${room}/{id}/update`, notManager],
  ['DELETE', `/${room}/{id}`, notManager],
]);

const rooms: readonly Room[] = [
  {
    firstSegments: ['build', 'session'],
    routes: [
      ['POST', '/build', noBuilder],
      ['POST', '/build/cancel', noBuilder],
      // There is no cache, so there is nothing to free: `docker system prune` goes on.
      ['POST', '/build/prune', () => reply.json(200, { CachesDeleted: null, SpaceReclaimed: 0 })],
      ['POST', '/session', noSession],
    ],
  },
  {
    firstSegments: ['plugins'],
    routes: [
      ['GET', '/plugins', () => reply.json(200, [])],
      ['GET', '/plugins/privileges', noPluginManager],
      ['POST', '/plugins/pull', noPluginManager],
      ['POST', '/plugins/create', noPluginManager],
      ['GET', '/plugins/{name...}/json', ({ params }) => noSuchPlugin(params.name)],
      ...['enable', 'disable', 'set', 'upgrade', 'push'].map(
        (verb): Route => ['POST', `/plugins/{name...}/${verb}`, ({ params }) => noSuchPlugin(params.name)],
      ),
      ['DELETE', '/plugins/{name...}', ({ params }) => noSuchPlugin(params.name)],
    ],
  },
  {
    firstSegments: ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'],
    routes: [
      ['POST', '/swarm/init', noSwarm],
      ['POST', '/swarm/join', noSwarm],
      ['POST', '/swarm/unlock', notManager],
      [
        'POST',
        '/swarm/leave',
        () => {
          throw new EngineError('unavailable', 'This node is not part of a swarm');
        },
      ],
      ['GET', '/swarm', notManager],
      ['GET', '/swarm/unlockkey', notManager],
      ['POST', '/swarm/update', notManager],
      ...swarmObjects,
    ],
  },
];

function noSuchPlugin(name: string | undefined): never {
  throw notFound(`plugin "${name}" not found`);
}

/**
 * Answers for the parts of the API that no plugin serves: clients learn what is missing instead of finding no page.
 * A plugin that contributes any route of a room takes the whole room.
 */
export function vacantRooms(contributed: readonly ApiRoute[]): readonly ApiRoute[] {
  const taken = new Set(contributed.map(({ path }) => path.split('/')[1]));
  return rooms
    .filter(({ firstSegments }) => !firstSegments.some((segment) => taken.has(segment)))
    .flatMap(({ routes }) => routes.map(([method, path, handle]): ApiRoute => ({ method, path, handle })));
}
