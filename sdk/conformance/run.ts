import { errorMessage } from '../errors';
import { withDeadline } from '../lifecycle';
import { breachBehind, type CaseResult, type ConformanceCase, type ConformanceSuite, Skip } from './suite';

const caseTimeoutMs = 30_000;

/** Judges one case; never throws. */
export async function runCase<S>(one: ConformanceCase<S>, subject: S): Promise<CaseResult> {
  const named = { id: one.id, title: one.title, rule: one.rule };
  try {
    await withDeadline(one.title, caseTimeoutMs, () => one.run(subject));
    return { ...named, outcome: 'passed' };
  } catch (error) {
    if (error instanceof Skip) return { ...named, outcome: 'skipped', reason: error.message };
    const breach = breachBehind(error);
    if (breach !== undefined)
      return { ...named, outcome: 'skipped', reason: `cannot be judged: ${breach.message} (${breach.rule})` };
    return { ...named, outcome: 'failed', reason: errorMessage(error), error };
  }
}

/** Judges a subject case by case, in order. */
export async function runSuite<S>(
  suite: ConformanceSuite<S>,
  subject: S,
  onResult: (result: CaseResult) => void = () => {},
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of suite.cases) {
    const result = await runCase(one, subject);
    results.push(result);
    onResult(result);
  }
  return results;
}

/** What a test framework must offer; jest, vitest and node:test all do. */
export type TestFunction = (title: string, run: () => Promise<void>) => unknown;

/**
 * Makes one test per case. `subject` is asked for when the test runs, so that it may come from a `beforeAll`.
 *
 * @param report gets a line for every case that could not be judged; the console when absent
 */
export function declareTests<S>(
  test: TestFunction,
  suite: ConformanceSuite<S>,
  subject: () => S | Promise<S>,
  report: (line: string) => void = (line) => console.info(line),
): void {
  for (const one of suite.cases)
    test(`${one.title} (${one.rule})`, async () => {
      const result = await runCase(one, await subject());
      if (result.outcome === 'skipped') report(`skipped ${result.id}: ${result.reason}`);
      if (result.outcome === 'failed') throw result.error;
    });
}
