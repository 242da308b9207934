import { Readable } from 'node:stream';
import {
  type ApiReply,
  type ApiRoute,
  type DriverSet,
  type EngineEvent,
  type HttpMethod,
  type Logger,
  notFound,
  type VolumeDriver,
} from '@gantry/sdk';
import { volumeRoutes } from '../api/volume-routes';
import { openVolumes } from '../open-volumes';

export const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

export function driverSet(drivers: Record<string, VolumeDriver>): DriverSet<VolumeDriver> {
  return {
    names: () => Object.keys(drivers).sort(),
    get: (name) => drivers[name],
    nameOf: (name) => name,
    async resolve(name) {
      const driver = drivers[name];
      if (driver === undefined) throw notFound(`plugin "${name}" not found`);
      return driver;
    },
    discover: async () => {},
    entries: () => Object.entries(drivers),
  };
}

/** A volume manager over `folder`, with what it published and a way to call its routes. */
export async function openManager(folder: string, drivers: Record<string, VolumeDriver>) {
  const published: EngineEvent[] = [];
  const events = { publish: (event: EngineEvent) => void published.push(event), subscribe: () => () => {} };
  const store = await openVolumes({
    stateDir: `${folder}/state`,
    runDir: `${folder}/run`,
    drivers: driverSet(drivers),
    events,
    log,
  });
  const routes = volumeRoutes(store, { events, log });
  const call = async (method: HttpMethod, url: string, body?: unknown, apiVersion = '1.51') => {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const [route, params] = findRoute(routes, method, pathname);
    const reply: ApiReply = await route.handle({
      id: '1',
      method,
      path: pathname,
      params,
      query: searchParams,
      headers: {},
      apiVersion,
      body: Readable.from([]),
      signal: new AbortController().signal,
      json: async () => body,
    });
    return reply as { status: number; body?: any };
  };
  return { store, call, published };
}

function findRoute(routes: ApiRoute[], method: HttpMethod, path: string): [ApiRoute, Record<string, string>] {
  for (const route of routes) {
    if (route.method !== method) continue;
    if (route.path === path) return [route, {}];
    const prefix = route.path.replace('{name...}', '');
    if (prefix !== route.path && path.startsWith(prefix))
      return [route, { name: decodeURIComponent(path.slice(prefix.length)) }];
  }
  throw new Error(`no route for ${method} ${path}`);
}
