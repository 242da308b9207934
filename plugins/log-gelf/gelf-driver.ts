import { hostname } from 'node:os';
import type { LogDriver, LogInfo, LogSource } from '@gantry/sdk';
import { chosenAttributes, logTag } from '@gantry/sdk/log-drivers';
import { type LogSink, messageWriter, openUdpSink, StreamSink } from '@gantry/sdk/log-sinks';
import { chunkedSink } from './chunked-sink';
import { type GelfOptions, parseOptions } from './options';

const ERROR = 3;
const INFORMATION = 6;
const END = Buffer.from([0]);

/** The driver `gelf`: each line a message to Graylog, Logstash and whoever speaks the format. */
export function makeGelfDriver(): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },
    async open(info) {
      const options = parseOptions(info.options);
      const sink = await openSink(options);
      const render = renderer(info);
      return messageWriter(sink, (line, { source, timeNs }) => {
        const message = Buffer.from(render(line, source, timeNs));
        return options.scheme === 'tcp' ? Buffer.concat([message, END]) : message;
      });
    },
  };
}

async function openSink(options: GelfOptions): Promise<LogSink> {
  const { host, port, maxReconnect, reconnectDelayMs } = options;
  if (options.scheme === 'udp') return chunkedSink(await openUdpSink(host, port), options);
  const reconnect = { attempts: maxReconnect + 1, retryDelayMs: reconnectDelayMs, connectNow: true };
  return StreamSink.open({ scheme: 'tcp', host, port }, reconnect);
}

function renderer(info: LogInfo): (line: Buffer, source: LogSource, timeNs: bigint) => string {
  const fixed: Record<string, string> = {
    _command: [info.entrypoint, ...info.args].join(' '),
    _container_id: info.containerId,
    _container_name: info.containerName,
    _created: info.createdAt.toISOString(),
    _image_id: info.imageId,
    _image_name: info.imageName,
    _tag: logTag(info),
  };
  for (const [name, value] of Object.entries(chosenAttributes(info))) fixed[`_${name}`] = value;
  const host = hostname();
  return (line, source, timeNs) =>
    JSON.stringify({
      version: '1.1',
      host,
      short_message: line.toString(),
      timestamp: Number(timeNs / 1_000_000n) / 1000,
      level: source === 'stderr' ? ERROR : INFORMATION,
      ...fixed,
    });
}
