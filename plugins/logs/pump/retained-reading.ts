import type { Readable } from 'node:stream';
import type { RetainedOutput } from '@gantry/sdk';
import type { LineAssembler } from './line-assembler';
import { nowNs } from './wall-clock';

export const isRetained = (stream: Readable): stream is RetainedOutput => 'retain' in stream;

/**
 * Reads a stream and lets go of its bytes only when they are where they belong. What is stored and not yet let go when
 * the daemon is killed is told apart by the next one (`storedMessages`).
 *
 * @param take    deals with a chunk; a returned promise resolves when that is done
 * @param settled the same for what the assembler gave out since
 */
export function readRetained(
  stream: RetainedOutput,
  assembler: LineAssembler,
  take: (chunk: Buffer, timeNs: bigint) => void | Promise<void>,
  settled: () => void | Promise<void>,
): void {
  const { left } = stream;
  if (left !== undefined) assembler.resume(left.note);
  let resumeNs = left?.markedNs;
  const letGo = () => {
    assembler.note(stream.note);
    stream.keep(assembler.heldBytes);
  };
  stream.once('end', () => {
    if (assembler.heldBytes === 0) return;
    const timeNs = nowNs();
    stream.mark(timeNs);
    assembler.end(timeNs);
    void Promise.resolve(settled()).then(letGo);
  });
  stream.retain((chunk) => {
    // What was stored in part has its time already.
    const timeNs = resumeNs ?? nowNs();
    resumeNs = undefined;
    stream.mark(timeNs);
    const taken = take(chunk, timeNs);
    if (taken === undefined) letGo();
    else return taken.then(letGo);
  });
}
