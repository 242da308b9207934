import { createInterface } from 'node:readline';
import type { Logger, ProcessStreams } from '@gantry/sdk';

/** What a plugin prints becomes lines of the daemon's log (P-RUN-2); the last ones are kept for error messages. */
export class PluginOutput {
  private readonly recent: string[] = [];

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
      // A daemon that stops lets go of the stream.
      stream.on('error', () => undefined);
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
        this.log[level](line, { plugin: this.id });
        this.recent.push(line);
        if (this.recent.length > 3) this.recent.shift();
      });
    }
  }

  /** The last line it printed. */
  get lastWords(): string {
    return this.recent.findLast((line) => line.trim() !== '') ?? '';
  }
}
