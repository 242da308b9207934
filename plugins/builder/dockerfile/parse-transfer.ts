import { invalidParameter } from '@gantry/sdk';
import { heredocMarker } from './heredoc';
import type { FileTransfer } from './instructions';
import type { Parts } from './parse-instruction';
import { jsonWords } from './words';

/** What follows COPY and ADD. @throws invalid-parameter */
export function parseTransfer(instruction: 'ADD' | 'COPY', { line, rest, flags }: Parts): FileTransfer {
  const read = jsonWords(rest);
  if (read.kind === 'not-strings')
    throw invalidParameter('when using JSON array syntax, arrays must be comprised of strings only');
  const words = read.kind === 'words' ? read.words : rest.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) throw invalidParameter(`${instruction} requires at least two arguments`);
  if (words.length === 1)
    throw invalidParameter(
      `${instruction} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  const destination = words.at(-1)!;
  if (line.heredocs.length > 0 && heredocMarker(destination) !== undefined)
    throw invalidParameter(`${instruction} cannot accept a heredoc as a destination`);
  const inline = new Map(line.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const wanted = words.slice(0, -1).map((word) => ({ word, heredoc: inline.get(heredocMarker(word)?.name ?? '') }));
  return {
    sources: wanted.filter(({ heredoc }) => heredoc === undefined).map(({ word }) => word),
    inline: wanted.flatMap(({ heredoc }) => heredoc ?? []),
    destination,
    chown: flags.text('chown'),
    chmod: flags.text('chmod'),
    link: flags.boolean('link'),
    excludes: flags.list('exclude'),
  };
}
