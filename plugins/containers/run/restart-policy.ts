import type { RestartPolicy } from '../config/container-config';

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 60_000;
const STABLE_AFTER_MS = 10_000;

export interface ExitFacts {
  readonly exitCode: number;
  /** How long it ran. */
  readonly ranMs: number;
  readonly restartCount: number;
  /** A user or the daemon's own end stopped it. */
  readonly stoppedOnPurpose: boolean;
  /** The wait before the last restart; 0 for the first. */
  readonly lastBackoffMs: number;
}

/** Milliseconds to wait before it is started again, or undefined when it stays down. */
export function restartDelayMs(policy: RestartPolicy, exit: ExitFacts): number | undefined {
  if (exit.stoppedOnPurpose || !wantsRestart(policy, exit)) return undefined;
  // A container that ran for a while is not in a crash loop.
  if (exit.lastBackoffMs === 0 || exit.ranMs > STABLE_AFTER_MS) return FIRST_BACKOFF_MS;
  return Math.min(exit.lastBackoffMs * 2, LONGEST_BACKOFF_MS);
}

/** Whether a container that has run before should run after the daemon starts. */
export function startsWithDaemon(
  policy: RestartPolicy,
  last: { readonly exitCode: number; readonly stoppedByUser: boolean; readonly restartCount: number },
): boolean {
  if (policy.Name === 'unless-stopped') return !last.stoppedByUser;
  return wantsRestart(policy, last);
}

function wantsRestart(policy: RestartPolicy, exit: Pick<ExitFacts, 'exitCode' | 'restartCount'>): boolean {
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exit.exitCode !== 0 && (policy.MaximumRetryCount === 0 || exit.restartCount < policy.MaximumRetryCount);
    default:
      return false;
  }
}
