import { constants } from 'node:os';
import { invalidParameter } from '@gantry/sdk';

const names = new Set(Object.keys(constants.signals));

/** @throws invalid-parameter  not a signal's name, with or without SIG, nor its number */
export function checkSignal(text: string): void {
  if (/^\d+$/.test(text)) {
    if (Number(text) >= 1 && Number(text) <= 64) return;
  } else {
    const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
    if (names.has(name) || /^SIGRT(?:MIN(?:\+\d+)?|MAX(?:-\d+)?)$/.test(name)) return;
  }
  throw invalidParameter(`invalid signal: ${text}`);
}
