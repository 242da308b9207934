import { apiVersionAtLeast } from '@gantry/sdk';
import type { Exchange } from '../request/exchange';
import { currentApiVersion } from '../versions/api-version';

/** Brings a JSON reply down to the client's version: newest shim first, each takes its own step back. */
export function applyResponseShims(exchange: Exchange, body: unknown): unknown {
  const { shims } = exchange.route;
  if (shims === undefined || exchange.apiVersion === currentApiVersion) return body;
  let result = body;
  for (const shim of newestFirst(shims)) {
    if (apiVersionAtLeast(exchange.apiVersion, shim.before)) break;
    if (shim.response !== undefined) result = shim.response(result);
  }
  return result;
}

/** Brings a JSON request up to the newest version: oldest step first. */
export function applyRequestShims(exchange: Exchange, body: unknown): unknown {
  const { shims } = exchange.route;
  if (shims === undefined || exchange.apiVersion === currentApiVersion) return body;
  let result = body;
  for (const shim of newestFirst(shims).reverse()) {
    if (apiVersionAtLeast(exchange.apiVersion, shim.before) || shim.request === undefined) continue;
    result = shim.request(result);
  }
  return result;
}

type Shims = NonNullable<Exchange['route']['shims']>;

function newestFirst(shims: Shims): Shims[number][] {
  return [...shims].sort((a, b) => (a.before === b.before ? 0 : apiVersionAtLeast(a.before, b.before) ? -1 : 1));
}
