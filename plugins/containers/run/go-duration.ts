const UNITS: readonly (readonly [string, number])[] = [
  ['ms', 1],
  ['µs', 1e-3],
  ['ns', 1e-6],
];

/** A duration as Go prints it: `50ms`, `1.5s`, `30s`, `1m30s`, `1h0m0s`. @param ms not negative */
export function goDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 1000) {
    const [unit, size] = UNITS.find(([, size]) => ms >= size) ?? UNITS[2]!;
    return `${rounded(ms / size)}${unit}`;
  }
  const minutes = Math.floor(ms / 60_000);
  const seconds = `${rounded((ms - minutes * 60_000) / 1000)}s`;
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** Without what binary fractions add: nanoseconds are the finest there is. */
const rounded = (value: number): number => Math.round(value * 1e9) / 1e9;
