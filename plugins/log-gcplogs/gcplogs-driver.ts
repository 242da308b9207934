import {
  errorMessage,
  type LogBatch,
  type LogDriver,
  type Logger,
  type LogInfo,
  systemError,
  unavailable,
} from '@gantry/sdk';
import { chosenAttributes, formatTime } from '@gantry/sdk/log-drivers';
import { httpRequest, PostingWriter } from '@gantry/sdk/log-sinks';
import { defaultAccess, type GoogleAccess } from './google-credentials';
import { type GcpLogsOptions, parseOptions } from './options';

const ENDPOINT = 'https://logging.googleapis.com';
const LOG_NAME = 'gcplogs-docker-driver';
const MAX_ENTRIES = 1000;
const MAX_BYTES = 5 * 1024 * 1024;

export interface GcpLogsParts {
  readonly log: Logger;
  /** Another address than Google's own. */
  readonly endpoint?: string;
  readonly access?: () => Promise<GoogleAccess>;
}

/** The driver `gcplogs`: each line an entry of Google Cloud Logging. */
export function makeGcpLogsDriver({ log, endpoint = ENDPOINT, access = defaultAccess }: GcpLogsParts): LogDriver {
  let shared: Promise<GoogleAccess> | undefined;
  const accessOnce = () => {
    shared ??= access().catch((error) => {
      shared = undefined;
      throw error;
    });
    return shared;
  };
  return {
    validate(options) {
      parseOptions(options);
    },
    async open(info) {
      const options = parseOptions(info.options);
      const google = await accessOnce();
      const project = options.project ?? google.project;
      if (project === undefined)
        throw systemError(
          "no project was specified and couldn't read project from the metadata server. Please specify a project",
        );
      const write = new URL('/v2/entries:write', endpoint);
      const common = { logName: `projects/${project}/logs/${LOG_NAME}`, resource: { type: 'global' } };
      return new PostingWriter<string>({
        maxMessages: MAX_ENTRIES,
        maxBytes: MAX_BYTES,
        encode: entryEncoder(info, options),
        async post(messages) {
          const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${await tokenOf(google)}` };
          const body = `${JSON.stringify(common).slice(0, -1)},"entries":[${messages.join(',')}]}`;
          const { status, text } = await httpRequest(write, { method: 'POST', headers, body });
          if (status === 200) return;
          const message = `gcplogs: entries were not written: ${status} ${text}`;
          // 401: the token has run out meanwhile, the next one is fresh.
          throw status >= 500 || status === 429 || status === 401 ? unavailable(message) : systemError(message);
        },
        onLost: (error, messages) =>
          log.error('log messages were refused', { container: info.containerId, messages, error: errorMessage(error) }),
      });
    },
  };
}

async function tokenOf(google: GoogleAccess): Promise<string> {
  try {
    return await google.token();
  } catch (error) {
    throw unavailable(`gcplogs: no token: ${errorMessage(error)}`, error);
  }
}

function entryEncoder(info: LogInfo, { instance, logCommand }: GcpLogsOptions) {
  const metadata = chosenAttributes(info);
  const container = {
    name: `/${info.containerName}`,
    imageName: info.imageName,
    imageId: info.imageId,
    id: info.containerId,
    created: info.createdAt.toISOString(),
    ...(logCommand ? { command: [info.entrypoint, ...info.args].join(' ') } : {}),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
  return (line: Buffer, { timeNs }: LogBatch) => {
    const jsonPayload = { ...(instance === undefined ? {} : { instance }), container, message: line.toString() };
    const message = JSON.stringify({ timestamp: formatTime(timeNs), jsonPayload });
    return { message, bytes: message.length };
  };
}
