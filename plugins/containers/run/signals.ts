import { constants } from 'node:os';
import { invalidParameter } from '@gantry/sdk';

/**
 * @param signal `9`, `KILL`, `SIGKILL`, `RTMIN+3`
 * @returns its number
 * @throws invalid-parameter `invalid signal: x`
 */
export function parseSignal(signal: string): number {
  if (/^[+-]?\d+$/.test(signal)) {
    const number = Number(signal);
    if (number >= 1 && number <= 64) return number;
    throw invalidParameter(`invalid signal: ${signal}`);
  }
  const name = signal.toUpperCase().replace(/^SIG/, '');
  const known = (constants.signals as Record<string, number>)[`SIG${name}`];
  if (known !== undefined && known > 0) return known;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime) {
    const base = realtime[1] === 'MIN' ? 34 : 64;
    const number = base + (realtime[2] === '-' ? -1 : 1) * Number(realtime[3] ?? 0);
    if (number >= 34 && number <= 64) return number;
  }
  throw invalidParameter(`invalid signal: ${signal}`);
}
