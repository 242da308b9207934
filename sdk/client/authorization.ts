import type { AuthorizationPlugin, AuthorizationRequest, Verdict } from '../contracts/authz';
import { authorizationMethods, encodeAuthorization, field, stringField } from '../wire';
import type { PluginClient } from './plugin-client';
import type { RetrySchedule } from './retry';

/** Somebody waits for the answer of every call: a plugin that restarts gets a few seconds, one that is gone no more. */
const quickRetry: RetrySchedule = { waitsMs: [100, 200, 400, 800, 1600], giveUpAfterMs: 5000 };

/** An authorization plugin behind a socket. Everything but a clear answer is thrown: the caller refuses the request. */
export function connectAuthorizationPlugin(
  client: PluginClient,
  options: {
    /** Whether the plugin asked for it in the handshake; without it `context` is never sent. */
    readonly wantsContext?: boolean;
  } = {},
): AuthorizationPlugin {
  const wantsContext = options.wantsContext === true;
  const shown = (request: AuthorizationRequest) => (wantsContext ? request : { ...request, context: undefined });
  const ask = async (
    method: keyof typeof authorizationMethods,
    body: object,
    signal: AbortSignal,
  ): Promise<Verdict> => {
    const answer = await client.call({ ...authorizationMethods[method], body, signal, retry: quickRetry });
    return field(answer, 'Allow') === true ? { allow: true } : { allow: false, message: stringField(answer, 'Msg') };
  };
  return {
    wantsContext,
    request: (request, signal) => ask('request', encodeAuthorization(shown(request)), signal),
    response: (request, response, signal) => ask('response', encodeAuthorization(shown(request), response), signal),
  };
}
