import { StringDecoder } from 'node:string_decoder';
import type { Logger, ProcessStreams } from '@gantry/sdk';

/** A longer line becomes several, so that a plugin without line ends does not fill the memory. */
const longestLine = 16 * 1024;

/** What a plugin prints becomes lines of the daemon's log (P-RUN-2); the last one is kept for error messages. */
export class PluginOutput {
  /** The last line with anything in it. */
  lastWords = '';

  constructor(
    private readonly id: string,
    private readonly log: Logger,
  ) {}

  follow({ stdout, stderr }: ProcessStreams): void {
    for (const [stream, level] of [
      [stdout, 'info'],
      [stderr, 'error'],
    ] as const) {
      if (stream === undefined) continue;
      const decoder = new StringDecoder('utf8');
      let rest = '';
      const take = (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.say(level, line);
        for (; rest.length >= longestLine; rest = rest.slice(longestLine)) this.say(level, rest.slice(0, longestLine));
      };
      stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)));
      // A daemon that stops lets go of the stream.
      stream.on('error', () => undefined);
      stream.once('close', () => rest !== '' && this.say(level, rest));
    }
  }

  private say(level: 'info' | 'error', line: string): void {
    const text = line.replace(/\r$/, '');
    if (text.trim() === '') return;
    this.log[level](text, { plugin: this.id });
    this.lastWords = text;
  }
}
