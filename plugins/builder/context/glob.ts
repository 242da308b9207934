/**
 * The expression a path pattern means: `*` and `?` stay inside a name, `**` is any number of directories, `[a-z]` and
 * `[^a]` are one character, a backslash takes the next character as it is.
 */
export function globExpression(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === '*') {
      if (pattern[at + 1] !== '*') {
        source += '[^/]*';
        continue;
      }
      at++;
      // `**/` may be nothing at all.
      if (pattern[at + 1] === '/') {
        at++;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 2);
      if (end < 0) {
        source += '\\[';
        continue;
      }
      const set = pattern.slice(at + 1, end).replace(/^[!^]/, '');
      source += `[${/^[!^]/.test(pattern.slice(at + 1)) ? '^/' : ''}${set.replace(/[\\\]^[]/g, '\\$&')}]`;
      at = end;
    } else if (char === '\\' && at + 1 < pattern.length) source += quoted(pattern[++at]!);
    else source += quoted(char);
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    // A range that is none, such as [z-a], is a pattern that fits nothing.
    return /(?!)/;
  }
}

/** Whether a path holds anything that is not just a name. */
export const hasWildcards = (path: string): boolean => /(^|[^\\])(\\\\)*[*?[]/.test(path);

const quoted = (char: string) => char.replace(/[.*+?^${}()|[\]\\/]/, '\\$&');
