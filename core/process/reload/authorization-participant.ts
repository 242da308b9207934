import { isDeepStrictEqual } from 'node:util';
import type { AuthorizationChain } from '../../authz/authorization-chain';
import type { ReloadParticipant } from './participant';

const key = 'authorization-plugins';

/** Puts another chain of authorization plugins in place. */
export function authorizationParticipant(chain: Pick<AuthorizationChain, 'prepare'>): ReloadParticipant {
  return {
    async prepare({ before, after }) {
      if (isDeepStrictEqual(before[key], after[key])) return undefined;
      return { commit: await chain.prepare(after[key]) };
    },
  };
}
