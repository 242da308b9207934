import { type ApiRoutes, reply } from '../contracts/api-routes';
import { decodeRoutes, listRoutesMethod } from '../wire';
import type { PluginClient } from './plugin-client';

/**
 * Asks a plugin for its routes. Whoever serves them forwards the requests to its socket.
 * @throws as `PluginClient.call`; system when the answer is no list of routes
 */
export async function connectApiRoutes(client: PluginClient): Promise<ApiRoutes> {
  const declared = decodeRoutes(await client.call(listRoutesMethod), client.name);
  const { name, address, tls } = client;
  return {
    isForwarded: true,
    routes: declared.map((route) => ({ ...route, handle: () => reply.forward(name, address, tls) })),
  };
}
