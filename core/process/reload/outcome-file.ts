import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '@gantry/sdk';
import type { ReloadOutcome } from './reload-outcome';

/** The outcome of the last reload, below the data root, for `gantryd reload`. */
const fileName = 'reload.json';

export async function writeOutcome(dataRoot: string, outcome: ReloadOutcome): Promise<void> {
  const { startedAtNs, ...rest } = outcome;
  await writeFileAtomically(
    join(dataRoot, fileName),
    `${JSON.stringify({ startedAtNs: String(startedAtNs), ...rest })}\n`,
  );
}

/** @returns undefined  there was no reload yet */
export async function readOutcome(dataRoot: string): Promise<ReloadOutcome | undefined> {
  try {
    const { startedAtNs, ...rest } = JSON.parse(await readFile(join(dataRoot, fileName), 'utf8'));
    return { startedAtNs: BigInt(startedAtNs), ...rest };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
