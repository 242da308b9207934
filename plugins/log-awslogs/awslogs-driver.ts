import { type LogBatch, type LogDriver, type Logger, systemError } from '@gantry/sdk';
import { PostingWriter } from '@gantry/sdk/log-sinks';
import { CloudWatchClient, CloudWatchError } from './cloudwatch-client';
import { CredentialSource } from './credentials';
import { parseOptions, streamName } from './options';

/** CloudWatch's limits: events of one call, bytes of one call, bytes it adds to each event, bytes of an event. */
const MAX_EVENTS = 10_000;
const MAX_BYTES = 1_048_576;
const EVENT_BYTES = 26;
const MAX_EVENT_BYTES = 262_144 - EVENT_BYTES;
const NS_PER_MS = 1_000_000n;

interface CloudWatchEvent {
  readonly timestamp: number;
  readonly message: string;
}

/** The driver `awslogs`: each line an event of CloudWatch Logs. */
export function makeAwsLogsDriver(log: Logger): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },
    async open(info) {
      const options = parseOptions(info.options);
      if (options.region === '')
        throw systemError("awslogs: no region is known; set log opt 'awslogs-region' or the daemon's AWS_REGION");
      const client = new CloudWatchClient(options, new CredentialSource(options.credentialsPath));
      const names = { logGroupName: info.options['awslogs-group']!, logStreamName: streamName(info) };
      if (options.createStream) await createStream(client, names, options.createGroup);
      return new PostingWriter<CloudWatchEvent>({
        maxMessages: MAX_EVENTS,
        maxBytes: MAX_BYTES,
        encode,
        async post(messages) {
          // The two streams of a container may be out of step by a moment, which is refused.
          const logEvents = [...messages].sort((a, b) => a.timestamp - b.timestamp);
          try {
            await client.call('PutLogEvents', { ...names, logEvents });
          } catch (error) {
            if (!(error instanceof CloudWatchError) || error.type !== 'DataAlreadyAcceptedException') throw error;
          }
        },
        onLost: (error, messages) =>
          log.error('log messages were refused', { container: info.containerId, messages, error: String(error) }),
      });
    },
  };
}

async function createStream(
  client: CloudWatchClient,
  names: { readonly logGroupName: string; readonly logStreamName: string },
  createGroup: boolean,
): Promise<void> {
  try {
    await unlessThere(client.call('CreateLogStream', names));
  } catch (error) {
    if (!createGroup || !(error instanceof CloudWatchError) || error.type !== 'ResourceNotFoundException') throw error;
    await unlessThere(client.call('CreateLogGroup', { logGroupName: names.logGroupName }));
    await unlessThere(client.call('CreateLogStream', names));
  }
}

async function unlessThere(creation: Promise<void>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!(error instanceof CloudWatchError) || error.type !== 'ResourceAlreadyExistsException') throw error;
  }
}

function encode(line: Buffer, { timeNs }: LogBatch): { message: CloudWatchEvent; bytes: number } | undefined {
  // CloudWatch refuses empty events, and with them the whole call. Lines come in pieces of 16 KiB, which fit.
  if (line.length === 0) return undefined;
  const message = line.toString();
  const bytes = Math.min(Buffer.byteLength(message), MAX_EVENT_BYTES) + EVENT_BYTES;
  return { message: { timestamp: Number(timeNs / NS_PER_MS), message }, bytes };
}
