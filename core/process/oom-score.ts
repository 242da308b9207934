import { writeFile } from 'node:fs/promises';
import { errorMessage, systemError } from '@gantry/sdk';

/**
 * Makes the daemon a more or less likely victim when memory runs out. Containers get their own score.
 *
 * @param adjustment  -1000 (never) to 1000; 0 leaves it as it is
 */
export async function adjustOomScore(adjustment: number, file = '/proc/self/oom_score_adj'): Promise<void> {
  if (adjustment === 0) return;
  try {
    await writeFile(file, String(adjustment));
  } catch (error) {
    throw systemError(`cannot set the OOM score adjustment to ${adjustment}: ${errorMessage(error)}`, error);
  }
}
