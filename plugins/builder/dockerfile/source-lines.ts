import { invalidParameter } from '@gantry/sdk';
import { type Directives, readDirectives } from './directives';
import { type Heredoc, heredocMarkers } from './heredoc';
import { type SourcePosition, syntaxError } from './source-position';

/** One instruction as it is written. */
export interface SourceLine extends SourcePosition {
  readonly heredocs: readonly Heredoc[];
}

export interface SourceFile {
  readonly directives: Directives;
  readonly lines: readonly SourceLine[];
  readonly warnings: readonly string[];
}

const mayHaveHeredocs = /^(?:ONBUILD\s+)*(?:RUN|COPY|ADD)\b/i;

/**
 * Joins continued lines, drops comments and collects here-documents.
 *
 * @param text the Dockerfile
 * @param file its name, for messages
 * @throws invalid-parameter  a bad directive, an unterminated here-document, or nothing in it
 */
export function readSource(text: string, file: string): SourceFile {
  const physical = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const directives = readDirectives(physical, file);
  const escapeClass = directives.escape === '\\' ? '\\\\' : '`';
  // A doubled escape at the end of a line is an escaped escape, not a continuation.
  const continued = new RegExp(`(^|[^${escapeClass}])${escapeClass}[ \\t]*$`);
  const lines: SourceLine[] = [];
  const warnings: string[] = [];
  for (let index = 0; index < physical.length; index++) {
    const first = physical[index]!.trimStart();
    if (first === '' || first.startsWith('#')) continue;
    const line = index + 1;
    let joined = first;
    let hasGap = false;
    while (continued.test(joined)) {
      joined = joined.replace(continued, '$1');
      const next = nextContinuation(physical, index + 1);
      hasGap ||= physical.slice(index + 1, next).some((skipped) => skipped.trim() === '');
      index = next;
      if (index >= physical.length) break;
      joined += physical[index]!;
    }
    if (joined.trim() === '') continue;
    if (hasGap) warnings.push(`Empty continuation line found in: ${joined.trim()}`);
    const position = { file, line, lastLine: Math.min(index + 1, physical.length), text: joined.trim() };
    const heredocs: Heredoc[] = [];
    if (mayHaveHeredocs.test(joined) && joined.includes('<<'))
      for (const marker of heredocMarkers(joined)) {
        const end = physical.findIndex(
          (candidate, at) => at > index && (marker.chomp ? candidate.replace(/^\t+/, '') : candidate) === marker.name,
        );
        if (end < 0) throw syntaxError(position, 'unterminated heredoc');
        const body = physical.slice(index + 1, end).map((each) => `${each}\n`);
        heredocs.push({ ...marker, content: body.join('') });
        index = end;
      }
    lines.push({ ...position, heredocs });
  }
  if (lines.length === 0) throw invalidParameter(`${file}: file with no instructions`);
  return { directives, lines, warnings };
}

/** Comments and empty lines between the parts of an instruction are passed over. */
function nextContinuation(physical: readonly string[], from: number): number {
  let at = from;
  while (at < physical.length && /^\s*(?:#.*)?$/.test(physical[at]!)) at++;
  return at;
}
