/** A route's path, taken apart: `/images/{name...}/json` has literals `images`, `json` and one greedy parameter. */
export interface PathPattern {
  readonly segments: readonly PatternSegment[];
  /** Index of the greedy parameter, or -1. */
  readonly greedyAt: number;
  readonly literalCount: number;
}

type PatternSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string };

/** @throws Error  the path is not a pattern; a programming fault of the plugin that contributes it */
export function parsePattern(path: string): PathPattern {
  if (!path.startsWith('/')) throw new Error(`route path must start with a slash: ${path}`);
  let greedyAt = -1;
  let literalCount = 0;
  const segments = path
    .slice(1)
    .split('/')
    .map((text, index): PatternSegment => {
      const parameter = /^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$/.exec(text);
      if (parameter === null) {
        if (/[{}]/.test(text)) throw new Error(`route path has a malformed parameter "${text}": ${path}`);
        literalCount++;
        return { kind: 'literal', text };
      }
      if (parameter[2] !== undefined) {
        if (greedyAt !== -1) throw new Error(`route path has two parameters that take slashes: ${path}`);
        greedyAt = index;
      }
      return { kind: 'parameter', name: parameter[1]! };
    });
  return { segments, greedyAt, literalCount };
}

export function isLiteral(pattern: PathPattern): boolean {
  return pattern.literalCount === pattern.segments.length;
}

/** The parameters when `parts` (the path split at slashes) fits the pattern. Parameters are never empty. */
export function matchPattern(pattern: PathPattern, parts: readonly string[]): Record<string, string> | undefined {
  const { segments, greedyAt } = pattern;
  const surplus = parts.length - segments.length;
  if (surplus < 0 || (surplus > 0 && greedyAt === -1)) return undefined;
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    const part = parts[greedyAt !== -1 && i > greedyAt ? i + surplus : i]!;
    if (segment.kind === 'literal' ? segment.text !== part : part === '') return undefined;
  }
  const params: Record<string, string> = {};
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    if (segment.kind === 'literal') continue;
    if (i === greedyAt) params[segment.name] = parts.slice(i, i + surplus + 1).join('/');
    else params[segment.name] = parts[greedyAt !== -1 && i > greedyAt ? i + surplus : i]!;
  }
  return params;
}
