import type { SourcePosition } from '../dockerfile/source-position';

/** Where something stands, as BuildKit writes it. */
export const locationOf = (lines: readonly number[]) => ({
  ranges: lines.map((line) => ({ start: { line }, end: { line } })),
});

export const linesOfPosition = ({ line, lastLine }: SourcePosition): number[] =>
  Array.from({ length: lastLine - line + 1 }, (_, index) => line + index);
