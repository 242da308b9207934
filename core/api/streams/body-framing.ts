import type { IncomingHttpHeaders } from 'node:http';
import { invalidParameter } from '@gantry/sdk';

/** Separates a request's body from the raw bytes that follow it. */
export interface BodyDecoder {
  /**
   * @returns the body bytes in `chunk`, and when the body is complete, the bytes after it
   * @throws invalid-parameter  malformed framing
   */
  push(chunk: Buffer): { readonly data: readonly Buffer[]; readonly rest: Buffer | undefined };
}

/** The decoder these headers ask for, or undefined when they announce no body. */
export function bodyDecoder(headers: IncomingHttpHeaders): BodyDecoder | undefined {
  const encoding = headers['transfer-encoding'];
  if (encoding !== undefined) {
    if (encoding.trim().toLowerCase() !== 'chunked')
      throw invalidParameter(`unsupported transfer encoding: ${encoding}`);
    return new ChunkedDecoder();
  }
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 ? new LengthDecoder(length) : undefined;
}

class LengthDecoder implements BodyDecoder {
  constructor(private missing: number) {}

  push(chunk: Buffer) {
    const data = chunk.subarray(0, this.missing);
    this.missing -= data.length;
    return { data: [data], rest: this.missing === 0 ? chunk.subarray(data.length) : undefined };
  }
}

const maximumLineBytes = 8192;

/** @see RFC 9112, section 7.1 */
class ChunkedDecoder implements BodyDecoder {
  private expecting: 'size' | 'data' | 'data-end' | 'trailer' = 'size';
  private missing = 0;
  private line = '';

  push(chunk: Buffer) {
    const data: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.expecting === 'data') {
        const part = chunk.subarray(at, at + this.missing);
        data.push(part);
        at += part.length;
        this.missing -= part.length;
        if (this.missing === 0) this.expecting = 'data-end';
        continue;
      }
      const newline = chunk.indexOf(10, at);
      this.line += chunk.toString('latin1', at, newline === -1 ? chunk.length : newline);
      if (this.line.length > maximumLineBytes) throw invalidParameter('malformed chunked body: line too long');
      if (newline === -1) break;
      at = newline + 1;
      if (this.endLine()) return { data, rest: chunk.subarray(at) };
    }
    return { data, rest: undefined };
  }

  /** @returns whether the body is complete */
  private endLine(): boolean {
    const line = this.line.endsWith('\r') ? this.line.slice(0, -1) : this.line;
    this.line = '';
    if (this.expecting === 'data-end') {
      if (line !== '') throw invalidParameter('malformed chunked body: chunk is longer than its size');
      this.expecting = 'size';
      return false;
    }
    if (this.expecting === 'trailer') return line === '';
    const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(line);
    if (size === null) throw invalidParameter('malformed chunked body: bad chunk size');
    this.missing = Number.parseInt(size[1]!, 16);
    this.expecting = this.missing === 0 ? 'trailer' : 'data';
    return false;
  }
}
