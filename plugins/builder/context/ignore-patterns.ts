import { posix } from 'node:path';
import { globExpression } from './glob';

/**
 * What a `.dockerignore` file (or a list of `--exclude` patterns) leaves out. The last pattern that fits a path or one
 * of its parents decides; `!` takes back.
 *
 * @see Docker docs, "Build context", .dockerignore files
 */
export class IgnorePatterns {
  private constructor(private readonly rules: readonly { readonly expression: RegExp; readonly keep: boolean }[]) {}

  /** @param text the file: one pattern a line, `#` begins a comment */
  static parse(text: string): IgnorePatterns {
    const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
    return IgnorePatterns.of(lines.filter((line) => !line.startsWith('#')));
  }

  static of(patterns: readonly string[]): IgnorePatterns {
    const rules = patterns.flatMap((line) => {
      const trimmed = line.trim();
      if (trimmed === '' || trimmed === '!') return [];
      const keep = trimmed.startsWith('!');
      const cleaned = posix.normalize(keep ? trimmed.slice(1).trim() : trimmed).replace(/^\/+|\/+$/g, '');
      return cleaned === '' || cleaned === '.' ? [] : [{ expression: globExpression(cleaned), keep }];
    });
    return new IgnorePatterns(rules);
  }

  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** @param path clean and relative */
  excludes(path: string): boolean {
    let excluded = false;
    for (const { expression, keep } of this.rules)
      if (excluded === keep && fitsPathOrParent(expression, path)) excluded = !keep;
    return excluded;
  }
}

function fitsPathOrParent(expression: RegExp, path: string): boolean {
  if (expression.test(path)) return true;
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
    if (expression.test(path.slice(0, slash))) return true;
  return false;
}
