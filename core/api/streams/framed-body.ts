import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { invalidParameter } from '@gantry/sdk';
import type { BodyDecoder } from './body-framing';

/**
 * The body of an upgraded request, read from the raw socket because Node's parser has let go of it.
 * When the body ends, what follows is put back into the socket: it is the beginning of the hijacked stream.
 */
export class FramedBody extends Readable {
  private isComplete = false;

  constructor(
    private readonly source: Socket,
    private readonly decoder: BodyDecoder,
  ) {
    super();
    // Its reader may have gone, when it was told what it wanted to know: then nobody minds how the body ends.
    this.on('error', () => {});
  }

  override _read(): void {
    this.detach();
    if (this.isComplete) return;
    const chunk: Buffer | null = this.source.read();
    if (chunk !== null) {
      this.decode(chunk);
      return;
    }
    if (this.source.readableEnded || this.source.destroyed) {
      this.onEnd();
      return;
    }
    this.source.once('readable', this.onReadable);
    this.source.once('end', this.onEnd);
    this.source.once('close', this.onEnd);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.detach();
    callback(error);
  }

  private decode(chunk: Buffer): void {
    let wasPushed = false;
    try {
      const { data, rest } = this.decoder.push(chunk);
      if (rest !== undefined) {
        this.isComplete = true;
        if (rest.length > 0) this.source.unshift(rest);
      }
      for (const part of data) {
        if (part.length === 0) continue;
        this.push(part);
        wasPushed = true;
      }
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if (this.isComplete) this.push(null);
    // Only framing so far: nobody calls _read again unless something was pushed.
    else if (!wasPushed) this._read();
  }

  private readonly onReadable = () => this._read();

  private readonly onEnd = () => {
    this.detach();
    if (!this.isComplete) this.destroy(invalidParameter('the request body ended early'));
  };

  private detach(): void {
    this.source.off('readable', this.onReadable);
    this.source.off('end', this.onEnd);
    this.source.off('close', this.onEnd);
  }
}
