/** One expectation. `run` returns when it holds, throws when it does not, and throws `Skip` when it cannot be judged. */
export interface ConformanceCase<S> {
  /** Stable, for reports: `volume.mount.twice`. */
  readonly id: string;
  /** A sentence. */
  readonly title: string;
  /** The rule it stands for, such as `P-VOL-3`. */
  readonly rule: string;
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

/** The verdict on one case. `reason` is for people. */
export type CaseResult = {
  readonly id: string;
  readonly title: string;
  readonly rule: string;
} & (
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string; readonly error: unknown }
);
