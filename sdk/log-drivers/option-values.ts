import { invalidParameter } from '../errors';

/** The options of a log driver, as the user gave them. */
export type LogOptions = Readonly<Record<string, string>>;

/** @throws invalid-parameter in dockerd's words, naming the first option that the driver does not know */
export function refuseUnknownOptions(driver: string, options: LogOptions, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`unknown log opt '${name}' for ${driver} log driver`);
}

/** `10m` is ten million bytes, as dockerd reads sizes of log drivers. @throws invalid-parameter */
export function parseSize(text: string): number {
  const match = /^(-?\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (!match) throw invalidParameter(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1000 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '));
}

/** @throws invalid-parameter as Go's strconv words it */
export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** The forms that Go's strconv takes. @throws invalid-parameter as it words it */
export function parseBoolean(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw invalidParameter(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a Go duration such as `1m30s`. @throws invalid-parameter as Go words it */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  if (!/^[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text))
    throw invalidParameter(`time: invalid duration ${JSON.stringify(text)}`);
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g))
    ms += Number(number) * unitMs[unit!]!;
  return text.startsWith('-') ? -ms : ms;
}

/** @throws invalid-parameter naming the option */
export function parsePattern(name: string, text: string | undefined): RegExp | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return new RegExp(text);
  } catch (error) {
    throw invalidParameter(`error parsing option ${name}: '${text}' is no regular expression`, error);
  }
}
