import { execFile } from 'node:child_process';
import { notImplemented } from '@gantry/sdk';
import { findProgram } from './oci-binary';

/** It tries many facilities of the kernel, with processes and namespaces of its own. */
const CHECK_MS = 60_000;

let working: Promise<void> | undefined;

/**
 * Checkpoints are written and read by criu, which the OCI runtime calls. It is asked once whether it can do its work on
 * this machine; when it cannot, it is asked again the next time.
 *
 * @throws not-implemented  with criu's own reason, or where to get it
 */
export function assertCriuWorks(): Promise<void> {
  working ??= check().catch((error: unknown) => {
    working = undefined;
    throw error;
  });
  return working;
}

async function check(): Promise<void> {
  const criu = await findProgram('criu');
  if (criu === undefined)
    throw notImplemented('checkpoints need criu, which is not installed (Debian: apt-get install criu)');
  await new Promise<void>((resolve, reject) => {
    execFile(criu, ['check'], { timeout: CHECK_MS }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else reject(notImplemented(unfit(reasonIn(`${stderr}\n${stdout}`) ?? error.message), error));
    });
  });
}

const unfit = (reason: string): string =>
  `checkpoints need criu, which does not work on this machine: ${reason}; see "criu check"`;

/** The first error it prints is the cause, those after it are consequences: `Error (criu/vdso.c:381): vdso: …`. */
export function reasonIn(output: string): string | undefined {
  return /^Error \([^)]*\): (.+)$/m.exec(output)?.[1]?.trim();
}
