import type { LogBatch } from '@gantry/sdk';

const NEWLINE = 10;

/** Lets batches through without their first messages. */
export function skipMessages(count: number, emit: (batch: LogBatch) => void): (batch: LogBatch) => void {
  let left = count;
  return (batch) => {
    if (left === 0) return emit(batch);
    if (batch.partial !== undefined) {
      left--;
      return;
    }
    let at = 0;
    for (; left > 0 && at < batch.data.length; left--) at = batch.data.indexOf(NEWLINE, at) + 1;
    if (at < batch.data.length) emit({ ...batch, data: batch.data.subarray(at) });
  };
}
