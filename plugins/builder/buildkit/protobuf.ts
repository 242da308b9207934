import { invalidParameter } from '@gantry/sdk';

/** A field of a message. @see Protocol Buffers, "Encoding" */
export interface Field {
  readonly number: number;
  /** Content of a length-delimited field; undefined for numbers. */
  readonly bytes: Buffer | undefined;
  /** Value of a varint, unsigned; undefined for the others. */
  readonly value: bigint | undefined;
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
    let value: bigint | undefined;
    switch (tag.value & 7) {
      case 0: {
        const end = readVarint(message, at).end;
        value = wideVarint(message.subarray(at, end));
        at = end;
        break;
      }
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
    fields.push({ number: Math.floor(tag.value / 8), bytes, value, raw: message.subarray(start, at) });
  }
  return fields;
}

/** The last text of a field; empty when it is not there. */
export const textOf = (fields: readonly Field[], number: number): string => bytesOf(fields, number).toString();

/** The last content of a field; empty when it is not there. */
export const bytesOf = (fields: readonly Field[], number: number): Buffer =>
  fields.findLast((field) => field.number === number)?.bytes ?? Buffer.alloc(0);

/** All texts of a repeated field. */
export const textsOf = (fields: readonly Field[], number: number): string[] =>
  fields.flatMap((field) => (field.number === number && field.bytes !== undefined ? field.bytes.toString() : []));

/** All messages of a repeated field. */
export const messagesOf = (fields: readonly Field[], number: number): Field[][] =>
  fields.flatMap((field) => (field.number === number && field.bytes !== undefined ? [readFields(field.bytes)] : []));

/** A number up to 2^53; 0 when it is not there. */
export const numberOf = (fields: readonly Field[], number: number): number => Number(wideNumberOf(fields, number));

/** A number of any size; 0 when it is not there. */
export const wideNumberOf = (fields: readonly Field[], number: number): bigint =>
  fields.findLast((field) => field.number === number)?.value ?? 0n;

/** A field that is a map from texts to texts. */
export function textMapOf(fields: readonly Field[], number: number): Record<string, string> {
  return Object.fromEntries(messagesOf(fields, number).map((entry) => [textOf(entry, 1), textOf(entry, 2)]));
}

/** A message of fields; those that are undefined are left out. */
export const message = (...fields: readonly (Buffer | undefined)[]): Buffer =>
  Buffer.concat(fields.filter((field) => field !== undefined));

/** A text; left out when it is empty, as proto3 has it. */
export const textField = (number: number, text: string): Buffer | undefined =>
  text === '' ? undefined : bytesField(number, text);

/** A number or flag that is not negative; left out when it is 0. */
export function numberField(number: number, value: number | bigint | boolean): Buffer | undefined {
  const left = BigInt(value);
  return left === 0n ? undefined : Buffer.concat([varint(number * 8), wideBytes(left)]);
}

/** A `map<string, string>`. */
export const textMapField = (number: number, map: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(map).map(([key, value]) => bytesField(number, message(textField(1, key), textField(2, value)))),
  );

/** A `google.protobuf.Timestamp`. */
export function timeField(number: number, milliseconds: number | undefined): Buffer | undefined {
  if (milliseconds === undefined) return undefined;
  const seconds = Math.floor(milliseconds / 1000);
  const nanos = Math.floor((milliseconds - seconds * 1000) * 1e6);
  return bytesField(number, message(numberField(1, seconds), numberField(2, nanos)));
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

/** All bits of a varint, which may be more than a number holds. */
function wideVarint(bytes: Buffer): bigint {
  if (bytes.length < 8) return BigInt(readVarint(bytes, 0).value);
  let value = 0n;
  for (const [index, byte] of bytes.entries()) value |= BigInt(byte & 127) << BigInt(index * 7);
  return BigInt.asUintN(64, value);
}

function wideBytes(value: bigint): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7n) {
    bytes.push(Number(left & 127n) + (left > 127n ? 128 : 0));
    if (left <= 127n) return Buffer.from(bytes);
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left >= 128 ? (left % 128) + 128 : left);
    if (left < 128) return Buffer.from(bytes);
  }
}

const malformed = () => invalidParameter('a message of BuildKit cannot be read');
