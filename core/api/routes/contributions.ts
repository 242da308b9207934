import { errorMessage, type SystemInfo, withDeadline } from '@gantry/sdk';
import type { CoreRouteDeps } from './core-routes';

/** A plugin that does not answer within this time is left out of the answer. */
const contributionTimeoutMs = 1000;

/** Asks all plugins at once; one that fails or is late is reported in the log and left out. */
export async function askContributors<T>(
  deps: CoreRouteDeps,
  what: string,
  ask: (info: SystemInfo) => Promise<T> | T | undefined,
): Promise<T[]> {
  const answers = await Promise.all(
    deps.systemInfo().map(async ([name, info]) => {
      try {
        return await withDeadline(`${what} of plugin ${name}`, contributionTimeoutMs, async () => ask(info));
      } catch (error) {
        deps.log.warn('a plugin did not contribute to the answer', { plugin: name, what, error: errorMessage(error) });
        return undefined;
      }
    }),
  );
  return answers.filter((answer) => answer !== undefined) as T[];
}
