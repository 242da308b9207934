/** What became of a reload. */
export interface ReloadOutcome {
  /** When the configuration was read, in nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
  readonly startedAtNs: bigint;
  /** Keys and parts that have changed. */
  readonly applied: readonly string[];
  /** Keys and parts that change with the next start. */
  readonly needRestart: readonly string[];
  /** Reasons why nothing has changed; empty after a reload that was made. */
  readonly problems: readonly string[];
}
