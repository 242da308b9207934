import { randomBytes } from 'node:crypto';
import type { LogBatch, LogInfo } from '@gantry/sdk';
import { chosenAttributes, logTag } from '@gantry/sdk/log-drivers';
import { Encoder, ExtData } from '@msgpack/msgpack';

/** An event on its way. `chunk` is what the receiver acknowledges. */
export interface ForwardEvent {
  readonly bytes: Buffer;
  readonly chunk?: string;
}

const EVENT_TIME = 0;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * Encodes lines in the "message" mode of the protocol, with dockerd's record.
 *
 * @see Fluentd Forward Protocol v1
 */
export function eventEncoder(
  info: LogInfo,
  options: { readonly requestAck: boolean; readonly subSecond: boolean },
): (line: Buffer, batch: LogBatch) => ForwardEvent {
  const encoder = new Encoder();
  const tag = logTag(info);
  const fixed = {
    container_id: info.containerId,
    container_name: `/${info.containerName}`,
    ...chosenAttributes(info),
  };
  return (line, { source, timeNs, partial }) => {
    const record = {
      ...fixed,
      source,
      log: line.toString(),
      ...(partial === undefined
        ? {}
        : {
            partial_message: 'true',
            partial_id: partial.id,
            partial_ordinal: String(partial.ordinal),
            partial_last: String(partial.last),
          }),
    };
    const time = options.subSecond ? eventTime(timeNs) : Number(timeNs / NS_PER_SECOND);
    if (!options.requestAck) return { bytes: Buffer.from(encoder.encode([tag, time, record, {}])) };
    const chunk = randomBytes(16).toString('base64');
    return { bytes: Buffer.from(encoder.encode([tag, time, record, { chunk }])), chunk };
  };
}

/** Seconds and nanoseconds in eight bytes. */
function eventTime(timeNs: bigint): ExtData {
  const data = Buffer.alloc(8);
  data.writeUInt32BE(Number(timeNs / NS_PER_SECOND) >>> 0, 0);
  data.writeUInt32BE(Number(timeNs % NS_PER_SECOND), 4);
  return new ExtData(EVENT_TIME, data);
}
