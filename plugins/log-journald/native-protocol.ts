const NEWLINE = Buffer.from('\n');

/**
 * An entry as journald takes it in one datagram.
 *
 * @see systemd, "Native Journal Protocol"
 */
export function encodeFields(fields: readonly (readonly [name: string, value: string | Buffer])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => encodeField(name, Buffer.from(value as string))));
}

function encodeField(name: string, value: Buffer): Buffer[] {
  if (!value.includes(NEWLINE)) return [Buffer.from(`${name}=`), value, NEWLINE];
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return [Buffer.from(`${name}\n`), length, value, NEWLINE];
}
