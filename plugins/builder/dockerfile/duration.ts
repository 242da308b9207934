import { invalidParameter } from '@gantry/sdk';

const unitNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of a duration such as `1m30s`. @throws invalid-parameter */
export function durationNs(text: string): number {
  if (text === '0') return 0;
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(text);
  if (match === null) {
    const missing = /^[+-]?\d+(?:\.\d+)?$/.test(text);
    throw invalidParameter(`time: ${missing ? 'missing unit in' : 'invalid'} duration "${text}"`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    total += Number(amount) * unitNs[unit!]!;
  return Math.round(match[1] === '-' ? -total : total);
}
