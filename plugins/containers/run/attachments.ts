import type { LogPump, LogSource, ProcessStreams } from '@gantry/sdk';

/** One who reads a container's output or writes its input. */
export interface Attachment {
  /** Bytes as they come; a returned promise holds the container back. */
  data(source: LogSource, chunk: Buffer): void | Promise<void>;
  /** The process runs and takes input from now on. */
  started(streams: ProcessStreams): void;
  /** All output has been seen, or it never started. */
  ended(): void;
}

/**
 * Who is attached to a container. Attaching comes before starting (`docker run` does it in that order), so the
 * list outlives the streams of one run.
 */
export class Attachments {
  private readonly waiting = new Set<Attachment>();
  private readonly unsubscribe = new Map<Attachment, () => void>();
  private running: { pump: LogPump; streams: ProcessStreams } | undefined;

  /** Bytes handed to those attached, over all runs. */
  deliveredBytes = 0;

  /** @returns the way to leave */
  add(attachment: Attachment): () => void {
    if (this.running) this.connect(attachment, this.running);
    else this.waiting.add(attachment);
    return () => this.remove(attachment);
  }

  /** The streams exist; nothing was written to them yet. */
  begin(pump: LogPump, streams: ProcessStreams): void {
    this.running = { pump, streams };
    for (const attachment of this.waiting) this.connect(attachment, this.running);
    this.waiting.clear();
  }

  /** The run is over: whoever is still here has seen everything. */
  end(): void {
    this.running = undefined;
    const left = [...this.waiting, ...this.unsubscribe.keys()];
    this.waiting.clear();
    for (const attachment of left) {
      this.remove(attachment);
      attachment.ended();
    }
  }

  private connect(attachment: Attachment, { pump, streams }: { pump: LogPump; streams: ProcessStreams }): void {
    const unsubscribe = pump.subscribe({
      data: (source, chunk) => {
        this.deliveredBytes += chunk.length;
        return attachment.data(source, chunk);
      },
      ended: () => {
        this.remove(attachment);
        attachment.ended();
      },
    });
    this.unsubscribe.set(attachment, unsubscribe);
    attachment.started(streams);
  }

  private remove(attachment: Attachment): void {
    this.waiting.delete(attachment);
    this.unsubscribe.get(attachment)?.();
    this.unsubscribe.delete(attachment);
  }
}
