import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorMessage, type Logger, systemError } from '@gantry/sdk';
import type { EngineMetrics } from './engine-metrics';
import type { MetricsAddress } from './metrics-address';

/** Serves `/metrics`, and nothing else, on the address of `metrics-addr`. There is no authorization, as for dockerd. */
export class MetricsServer {
  private readonly server: http.Server;

  constructor(
    private readonly metrics: Pick<EngineMetrics, 'text' | 'contentType'>,
    private readonly log: Logger,
  ) {
    this.server = http.createServer((request, response) => void this.answer(request, response));
    this.server.requestTimeout = 10_000;
    this.server.headersTimeout = 10_000;
  }

  /**
   * @returns the port, which was chosen if it was given as 0
   * @throws system  the address cannot be listened on
   */
  async listen({ host, port }: MetricsAddress): Promise<number> {
    this.server.listen({ host: host === '' ? undefined : host, port });
    try {
      await once(this.server, 'listening');
    } catch (cause) {
      throw systemError(
        `failed to start the metrics server on "${host}:${port}" (metrics-addr): ${errorMessage(cause)}`,
        cause,
      );
    }
    const address = this.server.address() as AddressInfo;
    this.log.info('metrics are served', { address: `http://${host || '0.0.0.0'}:${address.port}/metrics` });
    return address.port;
  }

  /** Serves on a unix socket that only root may use; what an earlier run left there is removed. */
  async listenOn(path: string): Promise<void> {
    await rm(path, { force: true });
    this.server.listen(path);
    await once(this.server, 'listening');
    await chmod(path, 0o600);
  }

  /** Repeatable. */
  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    request.resume();
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics') return end(response, 404, 'text/plain; charset=utf-8', '404 page not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return end(response, 405, 'text/plain; charset=utf-8', 'Method Not Allowed\n');
    try {
      end(response, 200, this.metrics.contentType, await this.metrics.text());
    } catch (error) {
      this.log.error('metrics could not be collected', { error: errorMessage(error) });
      end(response, 500, 'text/plain; charset=utf-8', `${errorMessage(error)}\n`);
    }
  }
}

function end(response: http.ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
