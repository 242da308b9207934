import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One call as it goes over the socket. Line ends of heads are CR LF; a body's bytes are as they stand. */
export interface Exchange {
  /** Rule id and what happens. */
  readonly title: string;
  readonly request: string;
  readonly answer: string;
  /** What the engine makes of the answer: the result or the error, as JSON. */
  readonly outcome: string;
}

const fileOf = (kind: string) => join(__dirname, 'transcripts', `${kind}.txt`);

/**
 * A kind's golden transcript. In the file: `=== title`, the request, `--- answer`, the answer, `--- outcome`, the outcome.
 * What cannot be printed is `\xNN`, a backslash `\\`.
 */
export function readTranscript(kind: string): readonly Exchange[] {
  const text = readFileSync(fileOf(kind), 'utf8');
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const match = /^(.*)\n([\s\S]*)\n--- answer\n([\s\S]*)\n--- outcome\n([\s\S]*)\n\n$/.exec(part)!;
      const [, title = '', request = '', answer = '', outcome = ''] = match;
      return { title, request: toWire(request), answer: toWire(answer), outcome };
    });
}

/** Takes a new recording for the golden one; read the difference before it is committed. */
export function writeTranscript(kind: string, exchanges: readonly Exchange[]): void {
  const parts = exchanges.map(
    ({ title, request, answer, outcome }) =>
      `=== ${title}\n${toText(request)}\n--- answer\n${toText(answer)}\n--- outcome\n${outcome}\n\n`,
  );
  writeFileSync(fileOf(kind), parts.join(''));
}

function toText(wire: string): string {
  const end = wire.indexOf('\r\n\r\n') + 4;
  const visible = (text: string) =>
    text
      .replaceAll('\\', '\\\\')
      .replace(/[^\x20-\x7e\n\\]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return wire.slice(0, end).replaceAll('\r\n', '\n') + visible(wire.slice(end));
}

function toWire(text: string): string {
  const end = text.indexOf('\n\n') + 2;
  const body = text
    .slice(end)
    .replace(/\\(?:x([0-9a-f]{2})|\\)/g, (_all, hex?: string) =>
      hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return text.slice(0, end).replaceAll('\n', '\r\n') + body;
}
