import { invalidParameter } from '@gantry/sdk';

/** Settings at the top of a Dockerfile, written as comments. */
export interface Directives {
  /** Escapes characters and continues lines: `\` or a backtick. */
  readonly escape: string;
  /** The frontend the author had in mind. This builder has one language, a superset; the name is kept for messages. */
  readonly syntax: string | undefined;
  /** What a linter should skip; there is no linter here. */
  readonly check: string | undefined;
}

const known = ['escape', 'syntax', 'check'] as const;
type Name = (typeof known)[number];

/**
 * Reads the parser directives of a Dockerfile.
 *
 * @throws invalid-parameter  one is given twice, or the escape character cannot be used
 */
export function readDirectives(lines: readonly string[], file: string): Directives {
  const found = new Map<Name, string>();
  for (const [index, line] of lines.entries()) {
    // Only the very top counts: anything else, an empty line or an unknown name included, ends the directives.
    const match = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line);
    const name = match?.[1]?.toLowerCase() as Name;
    if (match === null || !known.includes(name)) break;
    const fail = (message: string) =>
      invalidParameter(`dockerfile parse error on line ${index + 1}: ${message}\n${file}:${index + 1}: ${line}`);
    if (found.has(name)) throw fail(`only one ${name} parser directive can be used`);
    const value = match[2]!;
    if (name === 'escape' && value !== '\\' && value !== '`')
      throw fail(`invalid escape token '${value}' does not match \` or \\`);
    found.set(name, value);
  }
  return { escape: found.get('escape') ?? '\\', syntax: found.get('syntax'), check: found.get('check') };
}
