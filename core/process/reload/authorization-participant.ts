import { isDeepStrictEqual } from 'node:util';
import { Authz1 } from '@gantry/sdk';
import type { AuthorizationChain } from '../../authz/authorization-chain';
import type { ReloadParticipant } from './participant';

const key = 'authorization-plugins';

/** Puts another chain of authorization plugins in place. */
export function authorizationParticipant(chain: Pick<AuthorizationChain, 'prepare'>): ReloadParticipant {
  return {
    async prepare({ before, after }, coming) {
      if (isDeepStrictEqual(before[key], after[key])) return undefined;
      const isComing = (name: string) =>
        coming.some((driver) => driver.capabilityId === Authz1.id && driver.name === name);
      return { commit: await chain.prepare(after[key], isComing) };
    },
  };
}
