import type { RuleId } from './rules';

/** One expectation. `run` returns when it holds, throws when it does not, and throws `Skip` when it cannot be judged. */
export interface ConformanceCase<S> {
  /** Stable, for reports: `volume.mount.twice`. */
  readonly id: string;
  /** A sentence. */
  readonly title: string;
  /** The rule it stands for; `protocolRules` explains it. */
  readonly rule: RuleId;
  run(subject: S): Promise<void>;
}

/** All expectations about one kind of driver, in the order they are judged. */
export interface ConformanceSuite<S> {
  readonly kind: string;
  readonly cases: readonly ConformanceCase<S>[];
}

/** Thrown by a case that cannot be judged on this subject. */
export class Skip extends Error {}

/** Ends a case without a verdict; the reason is always printed. */
export function skip(reason: string): never {
  throw new Skip(reason);
}

/**
 * The plugin broke a rule that holds for every call. One case of its own fails for it; those that it keeps from being
 * judged are skipped.
 */
export class ProtocolBreach extends Error {
  constructor(
    readonly rule: RuleId,
    readonly method: string,
    what: string,
  ) {
    super(`${method} ${what}`);
    this.name = 'ProtocolBreach';
  }
}

/** The breach that is behind an error, if any. */
export function breachBehind(error: unknown): ProtocolBreach | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ProtocolBreach) return at;
  return undefined;
}

/** The verdict on one case. `reason` is for people. */
export type CaseResult = {
  readonly id: string;
  readonly title: string;
  readonly rule: RuleId;
} & (
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string; readonly error: unknown }
);
