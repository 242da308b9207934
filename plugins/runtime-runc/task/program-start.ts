import { readlink } from 'node:fs/promises';
import { systemClock } from '@gantry/sdk';

/** The exec follows the answer to the start within this time, also on a machine with too much to do. */
const WINDOW_MS = 2000;

/**
 * Knows whether the container's program has taken the place of the OCI runtime's process, which becomes it by an exec.
 *
 * runc (since its answer to CVE-2024-21626) and crun say that a container has started shortly before that exec. A
 * signal that comes in between is theirs: crun does not hear it, and runc's Go, as first process of its pid namespace,
 * ends on it with exit code 2 before the program was ever there. dockerd signals by one more run of the OCI runtime,
 * by when the exec has mostly happened.
 */
export class ProgramStart {
  private readonly runtimeProgram: Promise<string | undefined>;
  private watchedUntil: number | undefined;

  /** @param pid a container's first process, created and not started */
  constructor(private readonly pid: number) {
    this.runtimeProgram = this.program();
  }

  /** The OCI runtime says that it has started it. */
  started(): void {
    this.watchedUntil = Date.now() + WINDOW_MS;
  }

  /** Resolves when the program is there, or the process gone. At once for one that was started a while ago. */
  async inPlace(): Promise<void> {
    if (this.watchedUntil === undefined) return;
    const before = await this.runtimeProgram;
    while (before !== undefined && Date.now() < this.watchedUntil && (await this.program()) === before)
      await systemClock.sleep(1);
    this.watchedUntil = undefined;
  }

  private program(): Promise<string | undefined> {
    return readlink(`/proc/${this.pid}/exe`).catch(() => undefined);
  }
}
