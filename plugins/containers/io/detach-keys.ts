import { invalidParameter } from '@gantry/sdk';

/**
 * `ctrl-p,ctrl-q` as the bytes a terminal sends; empty = that default.
 *
 * @throws invalid-parameter
 */
export function parseDetachKeys(keys: string): Buffer {
  if (keys === '') return Buffer.from([16, 17]);
  return Buffer.from(
    keys.split(',').map((key) => {
      if (key.length === 1) return key.charCodeAt(0);
      const control = /^ctrl-([a-z@[\]^_\\])$/.exec(key)?.[1];
      if (control === undefined)
        throw invalidParameter(`Invalid detach keys (${keys}) provided: Unknown character: '${key}'`);
      return control.charCodeAt(0) & 0x1f;
    }),
  );
}

/** Looks for the detach sequence in what a user types, also when it comes in pieces. */
export class DetachDetector {
  private matched = 0;

  constructor(private readonly keys: Buffer) {}

  /** @returns the bytes to pass on, and whether the sequence is complete */
  feed(chunk: Buffer): { pass: Buffer; detached: boolean } {
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte === this.keys[this.matched]) {
        this.matched++;
        if (this.matched === this.keys.length) return { pass: Buffer.from(pass), detached: true };
        continue;
      }
      // What looked like the beginning was not: the program gets it after all.
      for (const held of this.keys.subarray(0, this.matched)) pass.push(held);
      this.matched = byte === this.keys[0] ? 1 : 0;
      if (this.matched === 0) pass.push(byte);
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}
