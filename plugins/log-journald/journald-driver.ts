import { existsSync } from 'node:fs';
import { type LogBatch, type LogDriver, type LogInfo, notImplemented } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  chosenAttributes,
  logTag,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';
import { messageWriter, openUnixDatagramSink } from '@gantry/sdk/log-sinks';
import { encodeFields } from './native-protocol';

const JOURNAL_SOCKET = '/run/systemd/journal/socket';
/** Room for the longest piece of a line with all its fields. */
const BUFFER_BYTES = 1024 * 1024;
const ERROR = '3';
const INFORMATION = '6';

const known = ['tag', ...attributeOptions];

/** The driver `journald`: each line an entry of the systemd journal. @param socketPath  where journald listens */
export function makeJournaldDriver(socketPath = JOURNAL_SOCKET): LogDriver {
  return {
    validate(options) {
      refuseUnknownOptions('journald', options, known);
      checkAttributeOptions(options);
      checkTag(options);
    },
    async open(info) {
      if (!existsSync(socketPath))
        throw notImplemented(`journald is not enabled on this host: there is no ${socketPath}`);
      const fixed = containerFields(info);
      return messageWriter(openUnixDatagramSink(socketPath, BUFFER_BYTES), (line, batch) =>
        encodeFields([...fixed, ...messageFields(batch), ['MESSAGE', line]]),
      );
    },
  };
}

type Field = readonly [name: string, value: string | Buffer];

function containerFields(info: LogInfo): Field[] {
  const tag = logTag(info);
  const extra = Object.entries(chosenAttributes(info)).flatMap(([name, value]): Field[] => {
    const field = fieldName(name);
    return field === '' ? [] : [[field, value]];
  });
  return [
    ['CONTAINER_ID', info.containerId.slice(0, 12)],
    ['CONTAINER_ID_FULL', info.containerId],
    ['CONTAINER_NAME', info.containerName],
    ['CONTAINER_TAG', tag],
    ['IMAGE_NAME', info.imageName],
    ['SYSLOG_IDENTIFIER', tag],
    ...extra,
  ];
}

/** The journal takes capitals, digits and underscores, and no underscore in front. */
const fieldName = (name: string) =>
  name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^_+/, '');

function messageFields({ source, timeNs, partial }: LogBatch): Field[] {
  const fields: Field[] = [
    ['PRIORITY', source === 'stderr' ? ERROR : INFORMATION],
    ['SYSLOG_TIMESTAMP', new Date(Number(timeNs / 1_000_000n)).toISOString()],
  ];
  if (partial === undefined) return fields;
  fields.push(['CONTAINER_PARTIAL_ID', partial.id], ['CONTAINER_PARTIAL_ORDINAL', String(partial.ordinal)]);
  fields.push(['CONTAINER_PARTIAL_LAST', String(partial.last)]);
  if (!partial.last) fields.push(['CONTAINER_PARTIAL_MESSAGE', 'true']);
  return fields;
}
