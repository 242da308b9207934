import type { LogBatch } from '../contracts/log-driver';
import { EngineError } from '../errors';

/** The back end is away, and this is what it did not take: the log manager keeps it until it is back. */
export class UndeliveredError extends EngineError {
  constructor(
    message: string,
    readonly batches: readonly LogBatch[],
    cause?: unknown,
  ) {
    super('unavailable', message, { cause });
  }
}

/** What was not taken, or undefined when the error does not say; also of an error of another copy of this package. */
export function undeliveredBatches(error: unknown): readonly LogBatch[] | undefined {
  const { batches } = error as Partial<UndeliveredError>;
  return error instanceof Error && Array.isArray(batches) ? batches : undefined;
}
