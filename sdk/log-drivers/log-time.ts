const NS_PER_SECOND = 1_000_000_000n;

let cachedSecond = -1n;
let cachedText = '';

/** RFC 3339 in UTC with as many decimals as the time has, as Go prints it: `2024-01-02T03:04:05.12Z`. */
export function formatTime(timeNs: bigint): string {
  const second = timeNs / NS_PER_SECOND;
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = new Date(Number(second) * 1000).toISOString().slice(0, 19);
  }
  const nanos = Number(timeNs - second * NS_PER_SECOND);
  if (nanos === 0) return `${cachedText}Z`;
  return `${cachedText}.${String(nanos).padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** Nanoseconds since the epoch, or undefined for what is no RFC 3339 time. */
export function parseTime(text: string): bigint | undefined {
  const dot = text.indexOf('.');
  if (dot < 0) return wholeSeconds(text);
  let end = dot + 1;
  while (end < text.length && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end++;
  const seconds = wholeSeconds(text.slice(0, dot) + text.slice(end));
  if (seconds === undefined || end - dot > 10 || end === dot + 1) return undefined;
  return seconds + BigInt(text.slice(dot + 1, end).padEnd(9, '0'));
}

function wholeSeconds(text: string): bigint | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n;
}
