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
