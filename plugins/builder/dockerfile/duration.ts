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

/** A duration as `1h0m0s`, `1m30s`, `1.5s` or `10ms`. */
export function durationText(ns: number): string {
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const minutes = Math.floor(ns / unitNs.m!);
  const seconds = `${(ns - minutes * unitNs.m!) / 1e9}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
