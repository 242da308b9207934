import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  invalidParameter,
  type LogBatch,
  type LogDriver,
  type Logger,
  type LogInfo,
  systemError,
  unavailable,
} from '@gantry/sdk';
import { chosenAttributes, logTag } from '@gantry/sdk/log-drivers';
import { httpRequest, PostingWriter } from '@gantry/sdk/log-sinks';
import { parseOptions, type SplunkOptions } from './options';

const pack = promisify<string, { level: number }, Buffer>(gzip);
const MAX_MESSAGES = 1000;
const MAX_BYTES = 1024 * 1024;

/** The driver `splunk`: each line an event for an HTTP event collector. */
export function makeSplunkDriver(log: Logger): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },
    async open(info) {
      const options = parseOptions(info.options);
      const headers = {
        Authorization: `Splunk ${options.token}`,
        ...(options.gzipLevel === undefined ? {} : { 'Content-Encoding': 'gzip' }),
        ...(options.acknowledged ? { 'X-Splunk-Request-Channel': randomUUID() } : {}),
      };
      if (options.verify) await verify(options);
      const encode = eventEncoder(info, options);
      return new PostingWriter<string>({
        maxMessages: MAX_MESSAGES,
        maxBytes: MAX_BYTES,
        encode,
        async post(messages) {
          const text = messages.join('');
          const body = options.gzipLevel === undefined ? text : await pack(text, { level: options.gzipLevel });
          const answer = await httpRequest(options.url, { method: 'POST', headers, body, tls: options.tls });
          if (answer.status === 200) return;
          const message = `splunk: failed to send event - ${answer.status} - ${answer.text}`;
          // A busy collector, or one that is being started anew, takes them later.
          throw answer.status >= 500 || answer.status === 429 ? unavailable(message) : systemError(message);
        },
        onLost: (error, messages) =>
          log.error('log messages were refused', { container: info.containerId, messages, error: String(error) }),
      });
    },
  };
}

async function verify({ url, tls }: SplunkOptions): Promise<void> {
  const answer = await httpRequest(url, { method: 'OPTIONS', headers: {}, tls });
  if (answer.status !== 200)
    throw invalidParameter(`splunk: failed to verify connection - ${answer.status} - ${answer.text}`);
}

/** @see Splunk, "Format events for HTTP Event Collector" */
function eventEncoder(info: LogInfo, { source, sourceType, index, format }: SplunkOptions) {
  const host = hostname();
  const tag = info.options.tag === '' ? '' : logTag(info);
  const attributes = chosenAttributes(info);
  const attrs = Object.keys(attributes).length === 0 ? {} : { attrs: attributes };
  const prefix = [tag, ...Object.entries(attributes).map(([name, value]) => `${name}=${value}`)]
    .filter((part) => part !== '')
    .map((part) => `${part} `)
    .join('');
  const eventOf = (line: string, { source: stream }: LogBatch): unknown => {
    if (format === 'raw') return `${prefix}${line}`;
    return { line: format === 'json' ? parsed(line) : line, source: stream, ...(tag === '' ? {} : { tag }), ...attrs };
  };
  return (line: Buffer, batch: LogBatch) => {
    const text = line.toString();
    // The collector refuses events of white space, and with them the whole post.
    if (text.trim() === '') return undefined;
    const event = eventOf(text, batch);
    const time = `${batch.timeNs / 1_000_000_000n}.${String((batch.timeNs % 1_000_000_000n) / 1000n).padStart(6, '0')}`;
    const message = JSON.stringify({ event, time, host, source, sourcetype: sourceType, index });
    return { message, bytes: message.length };
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
