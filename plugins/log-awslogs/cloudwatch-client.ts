import { systemError, unavailable } from '@gantry/sdk';
import { httpRequest } from '@gantry/sdk/log-sinks';
import type { CredentialSource } from './credentials';
import type { AwsLogsOptions } from './options';

const CONTENT_TYPE = 'application/x-amz-json-1.1';
/** Answers that say "later". */
const PASSING = ['ThrottlingException', 'ServiceUnavailableException', 'LimitExceededException'];

/** An answer of CloudWatch Logs that is not the wanted one; `type` is its name for it. */
export class CloudWatchError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
    this.name = 'CloudWatchError';
  }
}

/** Loaded with the first container that logs there. */
const signer = () => require('aws4') as typeof import('aws4');

/** Calls of CloudWatch Logs. @see AWS, CloudWatch Logs API Reference */
export class CloudWatchClient {
  private readonly url: URL;

  constructor(
    private readonly options: Pick<AwsLogsOptions, 'region' | 'endpoint' | 'format'>,
    private readonly credentials: CredentialSource,
  ) {
    this.url = options.endpoint ?? new URL(`https://logs.${options.region}.amazonaws.com`);
  }

  /** @throws unavailable  it may work later. @throws CloudWatchError, system  it will not */
  async call(action: string, parameters: object): Promise<void> {
    const { sign } = signer();
    const body = JSON.stringify(parameters);
    const signed = sign(
      {
        service: 'logs',
        region: this.options.region,
        host: this.url.host,
        method: 'POST',
        path: '/',
        headers: {
          'Content-Type': CONTENT_TYPE,
          'X-Amz-Target': `Logs_20140328.${action}`,
          ...(this.options.format === undefined ? {} : { 'x-amzn-logs-format': this.options.format }),
        },
        body,
      },
      await this.credentials.get(),
    );
    const headers = signed.headers as Record<string, string>;
    const { status, text } = await httpRequest(this.url, { method: 'POST', headers, body });
    if (status === 200) return;
    const { type, message } = errorOf(text);
    const told = `awslogs: ${action}: ${status} ${type}: ${message}`;
    if (status >= 500 || status === 429 || PASSING.includes(type)) throw unavailable(told);
    if (type === '') throw systemError(told);
    throw new CloudWatchError(type, told);
  }
}

function errorOf(text: string): { readonly type: string; readonly message: string } {
  try {
    const { __type = '', message, Message } = JSON.parse(text) as Record<string, string>;
    return { type: __type.replace(/^.*#/, ''), message: message ?? Message ?? '' };
  } catch {
    return { type: '', message: text };
  }
}
