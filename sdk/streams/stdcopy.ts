/** Which stream a frame belongs to. @see Docker Engine API, POST /containers/{id}/attach, "Stream format" */
const streamNumber = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** The 8-byte header that precedes a payload of `length` bytes. */
export function stdcopyHeader(source: keyof typeof streamNumber, length: number): Buffer {
  const header = Buffer.alloc(8);
  header[0] = streamNumber[source];
  header.writeUInt32BE(length, 4);
  return header;
}

/** Header and payload in one buffer. */
export function stdcopyFrame(source: keyof typeof streamNumber, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(8 + payload.length);
  frame.fill(0, 0, 8);
  frame[0] = streamNumber[source];
  frame.writeUInt32BE(payload.length, 4);
  payload.copy(frame, 8);
  return frame;
}
