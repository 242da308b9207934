import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LogBatch, LogInfo, LogWriter } from '@gantry/sdk';

/** The driver that keeps the copy. */
export const CACHE_DRIVER = 'local';

/**
 * The copy of a container's output that is kept for `docker logs` when its driver cannot be read back.
 *
 * @returns what the driver of the copy is opened with, or undefined when the copy is switched off
 * @see Docker, "Use docker logs with remote logging drivers"
 */
export function cacheInfo(info: LogInfo): LogInfo | undefined {
  const { 'cache-disabled': disabled = 'false', ...options } = info.options;
  if (/^(1|t|true)$/i.test(disabled)) return undefined;
  const chosen: Record<string, string> = {};
  for (const name of ['max-size', 'max-file', 'compress']) {
    const value = options[`cache-${name}`];
    if (value !== undefined) chosen[name] = value;
  }
  const logPath = join(dirname(info.logPath), 'log-cache', basename(info.logPath));
  return { ...info, logPath, options: chosen };
}

/** Whether output was ever copied for the container. */
export function hasCopy(copy: LogInfo): Promise<boolean> {
  return access(dirname(copy.logPath)).then(
    () => true,
    () => false,
  );
}

/** Writes to the driver and to the copy. A driver that takes its time holds the container back, as it would alone. */
export class CachingWriter implements LogWriter {
  constructor(
    private readonly inner: LogWriter,
    private readonly copy: LogWriter,
  ) {}

  write(batch: LogBatch): void | Promise<void> {
    const waits = [this.copy.write(batch), this.inner.write(batch)].filter((wait) => wait !== undefined);
    if (waits.length === 0) return;
    return settled(waits);
  }

  async flush(): Promise<void> {
    await settled([this.copy.flush(), this.inner.flush()]);
  }

  async close(): Promise<void> {
    await settled([this.copy.close(), this.inner.close()]);
  }
}

/** Waits for all, whatever becomes of them, then fails with the first failure. */
async function settled(work: readonly (void | Promise<void>)[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
