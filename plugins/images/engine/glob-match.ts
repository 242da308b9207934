import { systemError } from '@gantry/sdk';

/** @throws system  a class that is not closed or empty, or a backslash at the end; see Go's path.Match */
export function assertGlob(pattern: string): void {
  const character = String.raw`(?:\\[^]|[^\\\]-])`;
  const whole = new RegExp(String.raw`^(?:\\[^]|\[(?:\^|(?!\^))(?:${character}(?:-${character})?)+\]|[^\\[])*$`);
  if (!whole.test(pattern)) throw systemError('syntax error in pattern');
}

/** Shell patterns where `*` and `?` do not cross a slash: `busybox*:l?test`, `[ab]*`. */
export function globMatch(pattern: string, text: string): boolean {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[' && pattern.indexOf(']', i + 2) > 0) {
      const end = pattern.indexOf(']', i + 2);
      const body = pattern.slice(i + 1, end).replace(/[\\[\]]/g, '\\$&');
      source += `[${body.replace(/^!/, '^')}]`;
      i = end;
    } else if (char === '\\' && i + 1 < pattern.length) source += escapeChar(pattern[++i]!);
    else source += escapeChar(char);
  }
  try {
    return new RegExp(`^${source}$`).test(text);
  } catch {
    return false;
  }
}

const escapeChar = (char: string) => char.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
