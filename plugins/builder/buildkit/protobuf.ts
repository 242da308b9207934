import { invalidParameter } from '@gantry/sdk';

/** A field of a message. @see Protocol Buffers, "Encoding" */
export interface Field {
  readonly number: number;
  /** Content of a length-delimited field; undefined for numbers. */
  readonly bytes: Buffer | undefined;
  /** With its tag, as it was written. */
  readonly raw: Buffer;
}

/** The fields of a message, in order. Those we do not know stay as they are. @throws invalid-parameter */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    const start = at;
    const tag = readVarint(message, at);
    at = tag.end;
    let bytes: Buffer | undefined;
    switch (tag.value & 7) {
      case 0:
        at = readVarint(message, at).end;
        break;
      case 1:
        at += 8;
        break;
      case 2: {
        const length = readVarint(message, at);
        at = length.end + length.value;
        bytes = message.subarray(length.end, at);
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        throw malformed();
    }
    if (at > message.length) throw malformed();
    fields.push({ number: Math.floor(tag.value / 8), bytes, raw: message.subarray(start, at) });
  }
  return fields;
}

/** A length-delimited field. */
export function bytesField(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content as Buffer);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function readVarint(message: Buffer, from: number): { value: number; end: number } {
  let value = 0;
  for (let at = from, factor = 1; at < Math.min(message.length, from + 10); at++, factor *= 128) {
    value += (message[at]! & 127) * factor;
    if (message[at]! < 128) return { value, end: at + 1 };
  }
  throw malformed();
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left >= 128 ? (left % 128) + 128 : left);
    if (left < 128) return Buffer.from(bytes);
  }
}

const malformed = () => invalidParameter('a message of BuildKit cannot be read');
