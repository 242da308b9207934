import { unavailable } from '@gantry/sdk';
import { httpRequest } from '@gantry/sdk/log-sinks';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Where containers of AWS get credentials, and where its machines do. */
const CONTAINER_ADDRESS = 'http://169.254.170.2';
const MACHINE_ADDRESS = 'http://169.254.169.254/latest';
/** They are asked for again when they have so much left. */
const RENEW_MS = 5 * 60_000;

/**
 * The daemon's credentials: those of the option `awslogs-credentials-endpoint`, else of its environment
 * (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), else of the machine's role.
 */
export class CredentialSource {
  private known: { readonly credentials: AwsCredentials; readonly until: number } | undefined;

  constructor(private readonly path: string | undefined) {}

  /** @throws unavailable  there are none */
  async get(): Promise<AwsCredentials> {
    if (this.known !== undefined && Date.now() < this.known.until - RENEW_MS) return this.known.credentials;
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
    if (this.path !== undefined) return this.fetched(new URL(this.path, CONTAINER_ADDRESS));
    if (accessKeyId && secretAccessKey)
      return { accessKeyId, secretAccessKey, sessionToken: process.env.AWS_SESSION_TOKEN || undefined };
    return this.ofMachine();
  }

  /** @see AWS, "Use the Instance Metadata Service", version 2 */
  private async ofMachine(): Promise<AwsCredentials> {
    const put = { method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '300' } } as const;
    const token = (await httpRequest(new URL(`${MACHINE_ADDRESS}/api/token`), put)).text;
    const headers = { 'X-aws-ec2-metadata-token': token };
    const roles = new URL(`${MACHINE_ADDRESS}/meta-data/iam/security-credentials/`);
    const role = (await httpRequest(roles, { method: 'GET', headers })).text.trim();
    return this.fetched(new URL(role, roles), headers);
  }

  private async fetched(url: URL, headers: Record<string, string> = {}): Promise<AwsCredentials> {
    const { status, text } = await httpRequest(url, { method: 'GET', headers });
    if (status !== 200) throw unavailable(`awslogs: no credentials from ${url.href}: ${status} ${text}`);
    const { AccessKeyId, SecretAccessKey, Token, Expiration } = JSON.parse(text) as Record<string, string>;
    const credentials = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: Token };
    this.known = { credentials, until: Date.parse(Expiration ?? '') || 0 };
    return credentials;
  }
}
