import { EngineError, errorKind, errorMessage } from '@gantry/sdk';

/** Runs it, and lets its errors begin with what was being done. */
export function within<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new EngineError(errorKind(error), `${doing}: ${errorMessage(error)}`, { cause: error });
  }
}
