import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LogDriver, Logger, LogInfo } from '@gantry/sdk';
import { lengthFraming, makeFileLogDriver } from '@gantry/sdk/log-files';
import { parseOptions } from './options';
import { decodeRecords } from './record-decoder';
import { encodeRecords } from './record-encoder';

/** The driver `local`: protobuf records in the files that dockerd would write, compressed when they are full. */
export function makeLocalDriver(log: Logger): LogDriver {
  const driver = makeFileLogDriver(
    {
      parseOptions,
      pathOf,
      format: { ...lengthFraming, decode: decodeRecords },
      encoder: () => (batch, file) => file.add(encodeRecords(batch)),
    },
    log,
  );
  return {
    ...driver,
    async remove(info) {
      await driver.remove!(info);
      await rmdir(dirname(pathOf(info))).catch((error: NodeJS.ErrnoException) => {
        // Somebody else's files stay.
        if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
      });
    },
  };
}

/** A folder of its own beside the place of a JSON log, as dockerd has it. */
const pathOf = (info: LogInfo) => join(dirname(info.logPath), 'local-logs', 'container.log');
