/** What a write to a file carries at most, unless one piece of text alone is larger. */
const BUFFER_BYTES = 256 * 1024;
/** Kept for the next log that is busy. New memory costs more than filling it. */
const MAX_SPARE = 8;

/** `latin1` means that the text is ASCII, which is quicker to write. */
export type TextEncoding = 'latin1' | 'utf8';

const spare: Buffer[] = [];

/** Text and bytes on their way into a file, in large pieces. The memory is shared by all logs and goes back after the write. */
export class WriteBuffers {
  private filled: { readonly memory: Buffer; used: number }[] = [];
  bytes = 0;

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** @returns the bytes it takes */
  add(data: string | Buffer, encoding: TextEncoding): number {
    const length = byteLength(data, encoding);
    let last = this.filled.at(-1);
    if (last === undefined || last.memory.length - last.used < length) {
      last = { memory: takeMemory(length), used: 0 };
      this.filled.push(last);
    }
    if (typeof data === 'string') last.memory.write(data, last.used, encoding);
    else data.copy(last.memory, last.used);
    last.used += length;
    this.bytes += length;
    return length;
  }

  pieces(): Buffer[] {
    return this.filled.map(({ memory, used }) => memory.subarray(0, used));
  }

  /** After this nobody may look at the pieces. */
  release(): void {
    for (const { memory } of this.filled)
      if (memory.length === BUFFER_BYTES && spare.length < MAX_SPARE) spare.push(memory);
    this.filled = [];
    this.bytes = 0;
  }
}

function takeMemory(atLeast: number): Buffer {
  if (atLeast > BUFFER_BYTES) return Buffer.allocUnsafeSlow(atLeast);
  return spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
}

/** Bytes that it takes in a file. */
export function byteLength(data: string | Buffer, encoding: TextEncoding): number {
  return typeof data === 'string' && encoding === 'utf8' ? Buffer.byteLength(data) : data.length;
}
