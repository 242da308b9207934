import {
  type AuthorizationPlugin,
  type Clock,
  errorKind,
  errorMessage,
  invalidParameter,
  type Logger,
  systemClock,
  systemError,
} from '@gantry/sdk';
import type { Wire } from '../api/doors/wire';
import type { Admission, Authorizer, Destination } from '../api/pipeline/authorizer';
import { captureJsonBody } from '../api/pipeline/capture-body';
import { parseTarget } from '../api/request/request-target';
import { splitVersion } from '../api/versions/api-version';
import { AdmittedRequest } from './admitted-request';
import { repeatedKey } from './repeated-key';
import { requestContext } from './request-context';
import { shownRequest } from './shown-request';

export interface AuthorizationChainDeps {
  /** @throws not-found  there is no such plugin. @throws  it cannot be used */
  readonly find: (name: string) => Promise<AuthorizationPlugin>;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** How long the start waits for plugins that are not there yet (P-CALL-5). */
const waitsMs = [1000, 2000, 4000, 8000];

/** The configured authorization plugins, asked one after the other; one refusal or failure is enough. */
export class AuthorizationChain implements Authorizer {
  private current: readonly string[];
  /** Names of those that were disabled. */
  private readonly left = new Set<string>();

  constructor(
    configured: readonly string[],
    private readonly deps: AuthorizationChainDeps,
  ) {
    this.current = distinct(configured);
  }

  get names(): readonly string[] {
    return this.current;
  }

  /**
   * Looks up everybody, and waits for those who are still starting.
   *
   * @throws system  one of them cannot be found or used
   */
  async activate(): Promise<void> {
    const { clock = systemClock, log } = this.deps;
    await this.lookUp(this.current, async (name) => {
      for (const waitMs of waitsMs) {
        try {
          return await this.deps.find(name);
        } catch (error) {
          if (errorKind(error) !== 'not-found') throw error;
          log.warn('waiting for an authorization plugin', { plugin: name, error: errorMessage(error) });
          await clock.sleep(waitMs);
        }
      }
      return this.deps.find(name);
    });
  }

  /**
   * Looks up others, for a chain that takes the place of this one.
   *
   * @param isComing  says who is there by the time it is in force, and need not be looked up
   * @returns the way to put it in force, from the next request on
   * @throws system  one of them cannot be used
   */
  async prepare(names: readonly string[], isComing: (name: string) => boolean = () => false): Promise<() => void> {
    const next = distinct(names);
    await this.lookUp(
      next.filter((name) => !isComing(name)),
      this.deps.find,
    );
    return () => {
      this.current = next;
      for (const name of next) this.left.delete(name);
    };
  }

  /** Those of these names are asked no more: somebody has disabled them (P-AZ-13). */
  leave(isMeant: (name: string) => boolean): void {
    for (const name of this.current.filter(isMeant)) this.left.add(name);
    this.current = this.current.filter((name) => !isMeant(name));
  }

  async admit(wire: Wire, describe: () => Promise<Destination | undefined>): Promise<Admission> {
    const names = this.current;
    const showsBodies = !isCredentialPath(wire.request.url ?? '');
    const body = showsBodies ? await captureJsonBody(wire) : undefined;
    const twice = body === undefined ? undefined : repeatedKey(body.toString('utf8'));
    if (twice !== undefined) throw invalidParameter(`invalid JSON: the key "${twice}" is given twice in one object`);
    const chain = await this.snapshot(names);
    const shown = shownRequest(wire.request, body);
    const context = chain.some(([, plugin]) => plugin.wantsContext === true)
      ? await requestContext(wire, describe)
      : undefined;
    const hasLeft = (name: string) => this.left.has(name);
    const request = new AdmittedRequest(chain, { shown, context }, { showsBodies, hasLeft, log: this.deps.log });
    await request.ask();
    return request;
  }

  private async snapshot(names: readonly string[]): Promise<(readonly [string, AuthorizationPlugin])[]> {
    const found: (readonly [string, AuthorizationPlugin])[] = [];
    for (const name of names) {
      try {
        found.push([name, await this.deps.find(name)]);
      } catch (error) {
        throw systemError(`plugin ${name} failed with error: ${errorMessage(error)}`, error);
      }
    }
    return found;
  }

  private async lookUp(names: readonly string[], find: (name: string) => Promise<unknown>): Promise<void> {
    const outcomes = await Promise.allSettled(names.map(find));
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [errorMessage(outcome.reason)] : [],
    );
    if (reasons.length > 0) throw systemError(`failed to validate authorization plugin: ${reasons.join('; ')}`);
  }
}

const distinct = (names: readonly string[]) => [...new Set(names)];

/** Passwords are shown to nobody. The path is read as the router reads it, so that no other route hides behind it. */
function isCredentialPath(url: string): boolean {
  try {
    const target = parseTarget(url);
    const { path } = splitVersion(target.path);
    return target.redirectTo === undefined && (path === '/auth' || path.startsWith('/auth/'));
  } catch {
    return false;
  }
}
