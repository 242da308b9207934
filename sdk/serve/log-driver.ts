import type { LogDriver, LogWriter } from '../contracts/log-driver';
import { invalidParameter, notImplemented } from '../errors';
import { KeyedLock } from '../lifecycle';
import { decodeLogInfo, decodeReadConfig, encodeLogEntry, logDriverMethods, stringField } from '../wire';
import { LogFifoReader } from './log-fifo-reader';
import { type ServedKind, silently } from './method-table';

/** The wire methods of a log driver. FIFOs are read here; the driver sees batches. */
export function logDriverKind(driver: LogDriver, onError: (method: string, error: unknown) => void): ServedKind {
  const readers = new Map<string, LogFifoReader>();
  const oneAtATime = new KeyedLock();
  const start = async (body: unknown): Promise<void> => {
    const file = fileOf(body);
    // An engine may say it again.
    if (readers.has(file)) return;
    const info = decodeLogInfo(body);
    driver.validate(info.options);
    const writer: LogWriter = await driver.open(info);
    try {
      const reader = new LogFifoReader(file, writer, (error) => onError(logDriverMethods.startLogging.method, error));
      readers.set(file, reader);
      void reader.done.then(() => readers.delete(file));
    } catch (error) {
      await writer.close();
      throw error;
    }
  };
  return {
    kind: 'LogDriver',
    methods: {
      [logDriverMethods.startLogging.method]: silently((body) => oneAtATime.run(fileOf(body), () => start(body))),
      [logDriverMethods.stopLogging.method]: silently((body) =>
        oneAtATime.run(fileOf(body), async () => readers.get(fileOf(body))?.stop(fileOf(body))),
      ),
      [logDriverMethods.capabilities.method]: async () => ({
        Cap: { ReadLogs: (await driver.capabilities?.())?.readLogs ?? driver.read !== undefined },
      }),
    },
    streams: {
      [logDriverMethods.readLogs.method]: async function* (body, signal) {
        if (driver.read === undefined) throw notImplemented('this log driver cannot read back');
        for await (const entries of driver.read(decodeLogInfo(body), decodeReadConfig(body), signal))
          yield Buffer.concat(entries.map(({ source, timeNs, line }) => encodeLogEntry({ source, timeNs, line })));
      },
    },
  };
}

function fileOf(body: unknown): string {
  const file = stringField(body, 'File');
  if (!file.startsWith('/')) throw invalidParameter('"File" is missing');
  return file;
}
