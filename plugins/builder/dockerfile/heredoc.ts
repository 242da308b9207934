/** Where a here-document is announced: `<<EOF`, `<<-"EOF"`, `0<<EOF`. */
export interface HeredocMarker {
  readonly name: string;
  /** `<<-`: leading tabs are taken away. */
  readonly chomp: boolean;
  /** Variables in it are replaced: its name was not quoted. */
  readonly expand: boolean;
  /** File descriptor before the arrows; 0 when there is none. */
  readonly descriptor: number;
}

/** A here-document with its lines, each with its newline. */
export interface Heredoc extends HeredocMarker {
  readonly content: string;
}

/** The marker a word is, or undefined. */
export function heredocMarker(word: string): HeredocMarker | undefined {
  const match = /^(\d*)<<(-?)([^<].*)$/s.exec(word);
  if (match === null) return undefined;
  const raw = match[3]!;
  if (/^\s/.test(raw)) return undefined;
  const name = unquote(raw);
  if (name === '' || /\s/.test(name)) return undefined;
  return { name, chomp: match[2] === '-', expand: name === raw, descriptor: Number(match[1] || '0') };
}

/** The markers of a line, in order; those in quotes are text. */
export function heredocMarkers(line: string): HeredocMarker[] {
  return shellWords(line).flatMap((word) => heredocMarker(word) ?? []);
}

/** Its text as a file: without leading tabs when `<<-` asks for it. */
export function heredocText({ content, chomp }: Heredoc): string {
  return chomp ? content.replace(/^\t+/gm, '') : content;
}

function unquote(text: string): string {
  return text.replace(/"([^"]*)"|'([^']*)'|\\(.)/g, (_, double, single, escaped) => double ?? single ?? escaped ?? '');
}

/** Words separated by blanks outside quotes, quotes kept. */
function shellWords(line: string): string[] {
  return line.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/gs) ?? [];
}
