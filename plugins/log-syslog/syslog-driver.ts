import type { LogDriver } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  type LogOptions,
  logTag,
  parseBoolean,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';
import { messageWriter, openLogSink } from '@gantry/sdk/log-sinks';
import { parseAddress } from './address';
import { checkFormat, encodeMessage, parseFacility } from './message-format';

const known = [
  'syslog-address',
  'syslog-facility',
  'syslog-tls-ca-cert',
  'syslog-tls-cert',
  'syslog-tls-key',
  'syslog-tls-skip-verify',
  'syslog-format',
  'tag',
  ...attributeOptions,
];

/** A broken connection is made anew once for each message, as dockerd does it. */
const reconnect = { attempts: 2, retryDelayMs: 250, connectNow: true };

/** The driver `syslog`: each line a message to a syslog server. */
export function makeSyslogDriver(): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },
    async open(info) {
      const { target, facility, format } = parseOptions(info.options);
      const tag = logTag(info);
      const counted = target.scheme === 'tls' && format.startsWith('rfc5424');
      const sink = await openLogSink(target, reconnect);
      return messageWriter(sink, (text, { source, timeNs }) =>
        encodeMessage(format, { facility, source, timeNs, tag, text }, counted),
      );
    },
  };
}

function parseOptions(options: LogOptions) {
  refuseUnknownOptions('syslog', options, known);
  const target = parseAddress(options);
  const facility = parseFacility(options['syslog-facility']);
  const format = options['syslog-format'] ?? '';
  checkFormat(format);
  const skip = options['syslog-tls-skip-verify'];
  if (skip !== undefined) parseBoolean(skip);
  checkAttributeOptions(options);
  checkTag(options);
  return { target, facility, format };
}
