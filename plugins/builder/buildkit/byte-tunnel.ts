import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { Duplex } from 'node:stream';
import { frame, MessageReader } from './grpc-messages';
import { bytesField, readFields } from './protobuf';

// Well below what gRPC takes by default.
const pieceBytes = 32 * 1024;

/** A connection inside a call whose messages are raw bytes, such as `Control.Session` and `SSH.ForwardAgent`. */
export class ByteTunnel extends Duplex {
  private readonly reader = new MessageReader();
  private readonly call: ClientHttp2Stream;

  /** @param path of the call */
  constructor(session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders) {
    super();
    this.call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    this.call.on('data', (chunk: Buffer) => this.receive(chunk));
    this.call.on('end', () => this.push(null));
    this.call.on('error', (error) => this.destroy(error));
    this.call.on('close', () => this.destroy());
  }

  override _read(): void {
    this.call.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const pieces: Buffer[] = [];
    for (let at = 0; at < chunk.length; at += pieceBytes)
      pieces.push(frame(bytesField(1, chunk.subarray(at, at + pieceBytes))));
    this.call.write(Buffer.concat(pieces), done);
  }

  override _final(done: () => void): void {
    this.call.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.call.close();
    done(error);
  }

  private receive(chunk: Buffer): void {
    try {
      for (const message of this.reader.push(chunk))
        for (const { number, bytes } of readFields(message))
          if (number === 1 && bytes !== undefined && !this.push(bytes)) this.call.pause();
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
