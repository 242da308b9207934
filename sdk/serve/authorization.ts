import type { AuthorizationPlugin, Verdict } from '../contracts/authz';
import { authorizationContextKind, authorizationMethods, decodeAuthorization } from '../wire';
import type { ServedKind } from './method-table';

/** The wire methods of an authorization plugin. */
export function authorizationKind(plugin: AuthorizationPlugin): ServedKind {
  return {
    kind: 'authz',
    ...(plugin.wantsContext === true ? { alsoImplements: [authorizationContextKind] } : {}),
    methods: {
      [authorizationMethods.request.method]: async (body, signal) =>
        encodeVerdict(await plugin.request(decodeAuthorization(body).request, signal)),
      [authorizationMethods.response.method]: async (body, signal) => {
        const { request, response } = decodeAuthorization(body);
        return encodeVerdict(await plugin.response(request, response, signal));
      },
    },
  };
}

const encodeVerdict = (verdict: Verdict): object =>
  verdict.allow ? { Allow: true } : { Allow: false, Msg: verdict.message };
