import { setTimeout as pause } from 'node:timers/promises';
import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { errorKind } from '../errors';
import { undeliveredBatches } from './undelivered';

const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;

/** Writes again what a back end that is away did not take, and holds the container back until it is taken. */
export function patientWriter(inner: LogWriter): LogWriter {
  const closing = new AbortController();

  async function again(batch: LogBatch, cause: unknown): Promise<void> {
    let left = undelivered(batch, cause);
    let error = cause;
    for (let waitMs = MIN_BACKOFF_MS; left.length > 0; waitMs = Math.min(waitMs * 2, MAX_BACKOFF_MS)) {
      if (!closing.signal.aborted) await pause(waitMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) throw error;
      try {
        await inner.write(left[0]!);
        left = left.slice(1);
        waitMs = MIN_BACKOFF_MS / 2;
      } catch (next) {
        error = next;
        left = [...undelivered(left[0]!, next), ...left.slice(1)];
      }
    }
  }

  return {
    write(batch) {
      try {
        return inner.write(batch)?.catch((error) => again(batch, error));
      } catch (error) {
        return again(batch, error);
      }
    },
    get isAway() {
      return inner.isAway ?? false;
    },
    flush: () => inner.flush(),
    close() {
      closing.abort();
      return inner.close();
    },
  };
}

function undelivered(batch: LogBatch, error: unknown): readonly LogBatch[] {
  if (errorKind(error) !== 'unavailable') throw error;
  return undeliveredBatches(error) ?? [batch];
}
