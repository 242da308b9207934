import type { LogDriver, Logger } from '@gantry/sdk';
import { formatTime } from '@gantry/sdk/log-drivers';
import { lineFraming, makeFileLogDriver } from '@gantry/sdk/log-files';
import { encodeLines, type TakeText } from './json-line';
import { scanLines } from './line-scanner';
import { extraAttributes, parseOptions } from './options';

/** The driver `json-file`: one JSON object per line, in the file that dockerd would write, in its format. */
export function makeJsonFileDriver(log: Logger): LogDriver {
  return makeFileLogDriver(
    {
      parseOptions,
      pathOf: ({ logPath }) => logPath,
      format: { ...lineFraming, decode: scanLines },
      encoder(info) {
        const attributes = extraAttributes(info);
        return ({ data, source, timeNs }, file) => {
          const take: TakeText = (text, encoding) => file.add(text, encoding);
          encodeLines(data, source, attributes, formatTime(timeNs), take);
        };
      },
    },
    log,
  );
}
