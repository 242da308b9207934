import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { DaemonSettings, Logger } from '@gantry/sdk';
import type { Reference } from '../reference/reference';
import type { TransferThread } from '../transfer/transfer-thread';
import { Authorizer } from './authorizer';
import { readCertificates } from './certificates';
import { anonymous, type Credentials } from './credentials';
import { type Endpoint, endpointsFor } from './endpoints';
import { HttpClient, httpOptions, TransportError } from './http';
import { RepositoryClient } from './repository-client';

type RegistrySettings = Pick<
  DaemonSettings,
  'insecureRegistries' | 'registryMirrors' | 'registryMirrorPrefixes' | 'proxies'
>;

export interface Access {
  readonly domain: string;
  /** Repository path; empty for the registry as a whole. */
  readonly path: string;
  readonly credentials: Credentials;
  readonly actions: 'pull' | 'pull,push';
  /** Registries may treat plugins otherwise than images (P-REG-2). */
  readonly resourceClass?: 'plugin';
}

/** Ways to all registries, with their connections. */
export class Registries {
  private readonly clients = new Map<string, HttpClient>();
  /** Endpoint that worked last, by registry: saves a failed TLS handshake per request to a plain one. */
  private readonly preferred = new Map<string, string>();

  constructor(
    private readonly settings: RegistrySettings,
    private readonly log: Logger,
    /** @see readCertificates */
    private readonly certificateFolder: string,
    private readonly transfers: TransferThread,
    private readonly limits: { readonly silenceMs?: number } = {},
  ) {}

  async close(): Promise<void> {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }

  /**
   * Runs `probe` at the first endpoint that works, and returns its result with the client for the rest of the work.
   *
   * @throws what `probe` throws at the last endpoint
   */
  async connect<T>(
    access: Access,
    probe: (client: RepositoryClient) => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ client: RepositoryClient; result: T }> {
    const endpoints = this.ordered(access);
    for (const [index, endpoint] of endpoints.entries()) {
      try {
        const http = await this.client(endpoint);
        // They are for the registry and not for who stands in for it.
        const authorizer = new Authorizer(http, endpoint.isMirror ? anonymous : access.credentials);
        const client = new RepositoryClient(
          endpoint.base,
          access.path,
          http,
          authorizer,
          scopeOf(access),
          this.transfers,
        );
        const result = await probe(client);
        if (!endpoint.isMirror) this.preferred.set(access.domain, endpoint.base.href);
        return { client, result };
      } catch (error) {
        this.preferred.delete(access.domain);
        const isLast = index === endpoints.length - 1;
        if (isLast || signal.aborted || !(endpoint.isMirror || error instanceof TransportError)) throw error;
        this.log.info('trying the next endpoint of a registry', {
          endpoint: endpoint.base.origin,
          error: String(error),
        });
      }
    }
    throw new Error(`no endpoint for ${access.domain}`);
  }

  private ordered(access: Access): Endpoint[] {
    const endpoints = endpointsFor(access.domain, access.path, this.settings, access.actions !== 'pull');
    const preferred = this.preferred.get(access.domain);
    const rank = ({ isMirror, base }: Endpoint) => (isMirror ? 2 : Number(base.href === preferred));
    return endpoints.sort((a, b) => rank(b) - rank(a));
  }

  /** Certificates are looked at each time: who has put one into the folder need not restart the daemon. */
  private async client({ base, verify }: Endpoint): Promise<HttpClient> {
    const { ca, cert, key } = await readCertificates(this.certificateFolder, base.host);
    const print = createHash('sha256');
    for (const part of [...(ca ?? []), cert, key]) print.update(part ?? '-');
    const id = `${base.host} ${verify} ${print.digest('hex')}`;
    let client = this.clients.get(id);
    if (client === undefined) {
      const authorities = ca === undefined ? undefined : [...ca, ...rootCertificates];
      const tls = { rejectUnauthorized: verify, ca: authorities, cert, key };
      client = new HttpClient(httpOptions(tls, this.settings.proxies, this.limits));
      this.clients.set(id, client);
    }
    return client;
  }
}

/** What is asked for; empty for the registry as a whole. @see Distribution specification, token scope */
const scopeOf = ({ path, actions, resourceClass }: Access): string =>
  path === '' ? '' : `repository${resourceClass === undefined ? '' : `(${resourceClass})`}:${path}:${actions}`;

export const accessTo = (
  { domain, path }: Reference,
  credentials: Credentials,
  actions: Access['actions'],
): Access => ({ domain, path, credentials, actions });
