import { type ApiReply, type ApiRequest, type ApiRoute, apiVersionAtLeast, invalidParameter, reply } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { WaitCondition } from '../run/container';

/** @see Engine API, ContainerWait */
export function waitRoute(engine: Engine): ApiRoute {
  return { method: 'POST', path: '/containers/{id}/wait', handle: (request) => wait(request, engine) };
}

const CONDITIONS: readonly string[] = ['not-running', 'next-exit', 'removed'] satisfies WaitCondition[];

async function wait(request: ApiRequest, engine: Engine): Promise<ApiReply> {
  const container = engine.index.get(request.params.id ?? '');
  const since = (version: string) => apiVersionAtLeast(request.apiVersion, version);
  // Clients before 1.30 could not say what to wait for.
  const asked = (since('1.30') && request.query.get('condition')) || 'not-running';
  if (!CONDITIONS.includes(asked)) throw invalidParameter(`invalid condition: "${asked}"`);
  // From here on we listen: an exit between the headers and the body is not missed.
  const abort = new AbortController();
  const result = container.wait(asked as WaitCondition, abort.signal);
  if (!since('1.30')) {
    // Their answer came whole, with the exit.
    const onGone = () => abort.abort();
    request.signal.addEventListener('abort', onGone, { once: true });
    if (request.signal.aborted) onGone();
    const exit = await result;
    request.signal.removeEventListener('abort', onGone);
    return reply.json(200, { StatusCode: exit?.exitCode ?? 0 });
  }
  return reply.stream(200, 'application/json', async (out, signal) => {
    const onAbort = () => abort.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const exit = await result;
    signal.removeEventListener('abort', onAbort);
    if (exit === undefined) return;
    // Before 1.34 there was no field for it: an empty answer told that the removal had failed.
    if (asked === 'removed' && exit.error && !since('1.34')) return;
    out.write(
      `${JSON.stringify({ StatusCode: exit.exitCode, ...(exit.error ? { Error: { Message: exit.error } } : {}) })}\n`,
    );
  });
}
