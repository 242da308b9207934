import { type ApiRoutes, reply } from '../contracts/api-routes';
import { notImplemented } from '../errors';
import { decodeRoutes, listRoutesMethod } from '../wire';
import { parsePluginAddress } from './address';
import type { PluginClient } from './plugin-client';

/**
 * Asks a plugin for its routes. Whoever serves them forwards the requests to its socket.
 * @throws as `PluginClient.call`; system when the answer is no list of routes
 */
export async function connectApiRoutes(client: PluginClient): Promise<ApiRoutes> {
  const endpoint = parsePluginAddress(client.address);
  if (endpoint.kind === 'tcp' && endpoint.tls)
    throw notImplemented(`plugin "${client.name}": routes are not forwarded over https; serve them on a unix socket`);
  const declared = decodeRoutes(await client.call(listRoutesMethod), client.name);
  const { name, address } = client;
  return {
    isForwarded: true,
    routes: declared.map((route) => ({ ...route, handle: () => reply.forward(name, address) })),
  };
}
