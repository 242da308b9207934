import type { AuthorizationPlugin, Verdict } from '../contracts/authz';

/** The smallest plugin that keeps every rule: it refuses requests with DELETE and lets everything else pass. */
export function referenceAuthorizationPlugin(): AuthorizationPlugin {
  return {
    async request({ method, uri }): Promise<Verdict> {
      return method === 'DELETE' ? { allow: false, message: `${method} ${uri} is not allowed` } : { allow: true };
    },
    async response() {
      return { allow: true };
    },
  };
}
