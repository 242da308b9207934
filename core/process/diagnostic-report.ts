import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@gantry/sdk';

/**
 * dockerd dumps its stacks on SIGUSR1. Without a listener Node would open a debugger port to everybody on the machine.
 */
export function writeDiagnosticReport(folder: string, log: Logger): void {
  try {
    const path = join(folder, `report-${new Date().toISOString().replaceAll(':', '')}.json`);
    writeFileSync(path, JSON.stringify(process.report.getReport(), null, 2), { mode: 0o600 });
    log.info('diagnostic report written', { path });
  } catch (error) {
    log.error('the diagnostic report could not be written', { error });
  }
}
