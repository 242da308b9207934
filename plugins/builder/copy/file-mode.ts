import { invalidParameter } from '@gantry/sdk';

/** Changes permission bits. @param isDirectory matters for `X` */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/**
 * Reads `--chmod`: octal digits, or symbolic clauses such as `u=rwX,go=rX`.
 *
 * @throws invalid-parameter
 */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8) & 0o7777;
    return () => mode;
  }
  const clauses = text.split(',').map((clause) => {
    const match = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/.exec(clause);
    if (match === null)
      throw invalidParameter(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    return { who: match[1]! || 'a', actions: [...match[2]!.matchAll(/([-+=])([rwxXst]*)/g)] };
  });
  return (mode, isDirectory) => {
    let next = mode & 0o7777;
    for (const { who, actions } of clauses)
      for (const [, operator, letters] of actions) next = apply(next, who, operator!, letters!, isDirectory);
    return next;
  };
}

function apply(mode: number, who: string, operator: string, letters: string, isDirectory: boolean): number {
  const everyone = who.includes('a');
  const shifts = [['u', 6] as const, ['g', 3] as const, ['o', 0] as const].filter(
    ([letter]) => everyone || who.includes(letter),
  );
  let bits = 0;
  let all = 0;
  for (const [letter, shift] of shifts) {
    all |= 0o7 << shift;
    if (letters.includes('r')) bits |= 0o4 << shift;
    if (letters.includes('w')) bits |= 0o2 << shift;
    if (letters.includes('x') || (letters.includes('X') && (isDirectory || (mode & 0o111) !== 0))) bits |= 0o1 << shift;
    if (letters.includes('s') && letter !== 'o') bits |= letter === 'u' ? 0o4000 : 0o2000;
  }
  if (letters.includes('t')) bits |= 0o1000;
  if (operator === '+') return mode | bits;
  if (operator === '-') return mode & ~bits;
  return (mode & ~all) | bits;
}
