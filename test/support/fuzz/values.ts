import type { Random } from './random';

/** A number that is written as it stands here, exact or not. */
export class Literal {
  constructor(readonly text: string) {}
}

const numbers = [
  '0',
  '1',
  '-1',
  '2',
  '80',
  '65536',
  '1048576',
  '6291456',
  '2147483647',
  '2147483648',
  '-2147483649',
  '4294967296',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '18446744073709551615',
  '99999999999999999999999',
  '1e3',
  '1.5',
  '-0',
  '1e400',
];
const strings = [
  '',
  ' ',
  'x',
  'one',
  'two',
  'busybox',
  'busybox:latest',
  'nothing:9',
  'bridge',
  'host',
  'none',
  'container:one',
  'container:',
  'default',
  'local',
  'json-file',
  'always',
  'on-failure',
  'true',
  'false',
  '0',
  '-1',
  '1.5',
  '1h30m',
  '2020-01-01T00:00:00Z',
  '80/tcp',
  '80-90/udp',
  '99999/tcp',
  '10.0.0.0/8',
  '::1',
  '999.1.1.1',
  '/absolute',
  'relative/../path',
  '../..',
  'a:b:c:d',
  'k=v',
  '=',
  'KILL',
  'SIGNOPE',
  '\u0000',
  '\n',
  'ü€😀',
  '\ud800',
  '%s%n%x',
  '"',
  "'",
  '\\',
  '{}',
  '[',
  '__proto__',
  'constructor',
  'sha256:',
  `sha256:${'0'.repeat(64)}`,
  'f'.repeat(64),
  'a'.repeat(300),
  'a/'.repeat(200),
  '127.0.0.1:1/x/y:z',
  'A'.repeat(70_000),
];

export function oddString(random: Random): string {
  return random.pick(strings);
}

/** Any JSON value, small ones more often. */
export function oddValue(random: Random, depth = 0): unknown {
  const choice = random.below(depth > 2 ? 7 : 10);
  if (choice < 3) return oddString(random);
  if (choice < 5) return new Literal(random.pick(numbers));
  if (choice === 5) return random.chance(0.5);
  if (choice === 6) return null;
  if (choice === 7) return Array.from({ length: random.below(4) }, () => oddValue(random, depth + 1));
  return Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [oddString(random), oddValue(random, depth + 1)]),
  );
}

/** A copy with some members replaced, left out, given twice in two cases, or added. */
export function mutate(value: unknown, random: Random, rate: number): unknown {
  if (random.chance(rate)) return oddValue(random);
  if (Array.isArray(value)) {
    const copy = value.map((item) => mutate(item, random, rate));
    if (random.chance(rate)) copy.push(copy[0] ?? oddValue(random));
    return copy;
  }
  if (typeof value !== 'object' || value === null || value instanceof Literal) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (random.chance(rate / 2)) continue;
    copy[random.chance(rate / 2) ? key.toLowerCase() : key] = mutate(member, random, rate);
    if (random.chance(rate / 4)) copy[key.toUpperCase()] = oddValue(random);
  }
  if (random.chance(rate)) copy[oddString(random)] = oddValue(random);
  return copy;
}

/** JSON with literals as they stand, and now and then with something wrong in it. */
export function write(value: unknown, random: Random): string {
  const literals: string[] = [];
  const text = JSON.stringify(value, (_key, member) => {
    if (!(member instanceof Literal)) return member;
    literals.push(member.text);
    return `literal ${literals.length - 1}`;
  });
  const json = (text ?? 'null').replace(/"literal (\d+)"/g, (_, index: string) => literals[Number(index)]!);
  if (!random.chance(0.04)) return json;
  const at = random.below(json.length);
  return random.pick([json.slice(0, at), `${json}${json}`, `${json.slice(0, at)}\0${json.slice(at)}`, `[${json}`, '']);
}
