import { EventEmitter } from 'node:events';
import { bytesField, message, numberField, textField, timeField } from '../buildkit/protobuf';

/** One step of a build, as clients draw it. */
export interface Vertex {
  /** `sha256:…`: what it is told apart by. */
  readonly digest: string;
  readonly name: string;
  readonly cached?: boolean;
  /** Milliseconds since the epoch, as all times here. */
  readonly startedAt?: number;
  readonly completedAt?: number;
  readonly error?: string;
}

/** Something under way within a step. */
export interface VertexStatus {
  readonly id: string;
  readonly vertex: string;
  readonly current?: number;
  readonly total?: number;
  readonly startedAt: number;
  readonly completedAt?: number;
}

const largestLog = 32 * 1024 * 1024;

/** `VertexWarning`. */
export interface Warning {
  /** Digest of the step it belongs to. */
  readonly vertex: string;
  readonly short: string;
  readonly detail: string;
  readonly url: string;
  readonly source: { readonly file: string; readonly text: string };
  readonly lines: readonly number[];
}

/**
 * What has happened in a build, as `moby.buildkit.v1.StatusResponse` messages: whoever asks late is told everything.
 * Of the output of commands only so much is kept.
 */
export class StatusLog {
  private readonly entries: (Buffer | undefined)[] = [];
  private readonly changes = new EventEmitter().setMaxListeners(0);
  /** Places of output, oldest first. */
  private readonly outputs: number[] = [];
  private outputBytes = 0;
  private ended = false;

  vertex({ digest, name, cached, startedAt, completedAt, error }: Vertex): void {
    const vertex = message(
      textField(1, digest),
      textField(3, name),
      numberField(4, cached === true),
      timeField(5, startedAt),
      timeField(6, completedAt),
      textField(7, error ?? ''),
    );
    this.add(bytesField(1, vertex), false);
  }

  status({ id, vertex, current = 0, total = 0, startedAt, completedAt }: VertexStatus): void {
    const status = message(
      textField(1, id),
      textField(2, vertex),
      numberField(4, current),
      numberField(5, total),
      timeField(6, completedAt ?? Date.now()),
      timeField(7, startedAt),
      timeField(8, completedAt),
    );
    this.add(bytesField(2, status), false);
  }

  /** What a command said. @param stream 1 stdout, 2 stderr */
  output(vertex: string, stream: 1 | 2, text: string): void {
    const log = message(textField(1, vertex), timeField(2, Date.now()), numberField(3, stream), textField(4, text));
    this.add(bytesField(3, log), true);
  }

  /** Something of the Dockerfile that is not wise. @param lines it is about */
  warning({ vertex, short, detail, url, source, lines }: Warning): void {
    const range = (line: number) =>
      message(bytesField(1, message(numberField(1, line))), bytesField(2, message(numberField(1, line))));
    const warning = message(
      textField(1, vertex),
      numberField(2, 1),
      textField(3, short),
      textField(4, detail),
      textField(5, url),
      bytesField(6, message(textField(1, source.file), textField(2, source.text), textField(4, 'Dockerfile'))),
      ...lines.map((line) => bytesField(7, range(line))),
    );
    this.add(bytesField(4, warning), false);
  }

  /** Nothing more comes. */
  end(): void {
    this.ended = true;
    this.changes.emit('change');
  }

  /** Sends everything, from the beginning to the end. */
  async follow(send: (status: Buffer) => Promise<void> | void, signal: AbortSignal): Promise<void> {
    for (let at = 0; !signal.aborted; ) {
      if (at < this.entries.length) {
        const entry = this.entries[at++];
        if (entry !== undefined) await send(entry);
        continue;
      }
      if (this.ended) return;
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.changes.off('change', wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.changes.on('change', wake);
        signal.addEventListener('abort', wake);
      });
    }
  }

  private add(bytes: Buffer, isOutput: boolean): void {
    const at = this.entries.push(bytes) - 1;
    if (isOutput) {
      this.outputs.push(at);
      this.outputBytes += bytes.length;
      while (this.outputBytes > largestLog) {
        const oldest = this.outputs.shift()!;
        this.outputBytes -= this.entries[oldest]!.length;
        this.entries[oldest] = undefined;
      }
    }
    this.changes.emit('change');
  }
}
