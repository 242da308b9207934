import { invalidParameter, type LogInfo, notImplemented } from '@gantry/sdk';
import { checkTag, type LogOptions, logTag, parseBoolean, refuseUnknownOptions } from '@gantry/sdk/log-drivers';

export interface AwsLogsOptions {
  readonly region: string;
  /** Undefined: CloudWatch's own for the region. */
  readonly endpoint?: URL;
  readonly createGroup: boolean;
  readonly createStream: boolean;
  /** Path on the address where containers of AWS get their credentials. */
  readonly credentialsPath?: string;
  /** `json/emf`: metrics in the lines are understood. */
  readonly format?: string;
}

const known = [
  'awslogs-region',
  'awslogs-endpoint',
  'awslogs-group',
  'awslogs-stream',
  'awslogs-create-group',
  'awslogs-create-stream',
  'awslogs-credentials-endpoint',
  'awslogs-force-flush-interval-seconds',
  'awslogs-max-buffered-events',
  'awslogs-format',
  'awslogs-datetime-format',
  'awslogs-multiline-pattern',
  'tag',
];

/** Parses and checks; the words are dockerd's where it has some. @throws invalid-parameter, not-implemented */
export function parseOptions(options: LogOptions): AwsLogsOptions {
  refuseUnknownOptions('awslogs', options, known);
  if (!options['awslogs-group']) throw invalidParameter("must specify a value for log opt 'awslogs-group'");
  for (const name of ['awslogs-datetime-format', 'awslogs-multiline-pattern'])
    if (options[name] !== undefined)
      throw notImplemented(`log opt '${name}': lines are not joined by this driver; leave it out, or join them later`);
  for (const name of ['awslogs-force-flush-interval-seconds', 'awslogs-max-buffered-events'])
    if (options[name] !== undefined && !/^[1-9]\d*$/.test(options[name]))
      throw invalidParameter(`must specify a positive integer for log opt '${name}': ${options[name]}`);
  const { 'awslogs-format': format, 'awslogs-credentials-endpoint': credentialsPath } = options;
  if (format !== undefined && format !== 'json/emf')
    throw invalidParameter(`unsupported log format '${format}' for log opt 'awslogs-format': only 'json/emf' is`);
  if (credentialsPath !== undefined && !credentialsPath.startsWith('/'))
    throw invalidParameter(`log opt 'awslogs-credentials-endpoint' must begin with a slash: '${credentialsPath}'`);
  checkTag(options);
  return {
    region: options['awslogs-region'] || process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || '',
    endpoint: parseEndpoint(options['awslogs-endpoint']),
    createGroup: flag(options, 'awslogs-create-group', false),
    createStream: flag(options, 'awslogs-create-stream', true),
    credentialsPath,
    format,
  };
}

/** The stream's name: the option, else the tag, else the container's id; without what CloudWatch takes for a pattern. */
export function streamName(info: LogInfo): string {
  const { 'awslogs-stream': stream } = info.options;
  return stream || logTag(info, info.options.tag || '{{.FullID}}').replace(/[:*]/g, '_');
}

function parseEndpoint(text: string | undefined): URL | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw invalidParameter(`log opt 'awslogs-endpoint' must be a URL such as https://logs.example.org: '${text}'`);
  return url;
}

function flag(options: LogOptions, name: string, otherwise: boolean): boolean {
  const text = options[name];
  if (text === undefined) return otherwise;
  try {
    return parseBoolean(text);
  } catch (error) {
    throw invalidParameter(`must specify valid value for log opt '${name}': ${(error as Error).message}`, error);
  }
}
