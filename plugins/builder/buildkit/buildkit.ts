import { once } from 'node:events';
import http2, { type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { type ApiRequest, errorMessage, type HijackedConnection, unavailable } from '@gantry/sdk';
import { ByteTunnel } from './byte-tunnel';
import { forwardStreams } from './forward-streams';
import { receiveImage, sendFilesPath } from './image-receiver';
import { closed, exposed, sessionIdOf, text } from './session-request';
import { takeImage } from './solve-request';

const solvePath = '/moby.buildkit.v1.Control/Solve';
const sessionPath = '/moby.buildkit.v1.Control/Session';

/**
 * A BuildKit daemon that clients reach through `/grpc` and `/session`. What they do there is passed on, except for the
 * image they want to have here: that one is taken out of the session and loaded.
 *
 * @see Docker Engine API, POST /session and POST /grpc
 */
export class BuildKit {
  /** Sessions of builds whose image is to be loaded here. */
  private readonly loading = new Set<string>();

  /**
   * @param path of its socket
   * @param load takes an image archive
   */
  constructor(
    private readonly path: string,
    private readonly load: (archive: Readable, signal: AbortSignal) => Promise<unknown>,
  ) {}

  /** Passes the client's calls on to BuildKit. @throws unavailable  it cannot be reached: before the switch */
  async openGrpc({ signal: left }: ApiRequest): Promise<(connection: HijackedConnection) => Promise<void>> {
    const buildkit = await this.dial(left);
    return async (connection) => {
      const { stream } = connection;
      const client = http2.performServerHandshake(stream);
      const sessions = new Set<string>();
      forwardStreams(client, buildkit, (headers) =>
        headers[':path'] === solvePath
          ? {
              kind: 'rewrite',
              rewrite: (body) => {
                const taken = takeImage(body);
                if (taken.session !== undefined) {
                  sessions.add(taken.session);
                  this.loading.add(taken.session);
                }
                return taken.body;
              },
            }
          : { kind: 'forward' },
      );
      try {
        await closed(client, connection);
      } finally {
        for (const session of sessions) this.loading.delete(session);
        buildkit.destroy();
      }
    };
  }

  /**
   * Lets BuildKit call the client: its files, secrets and agents.
   *
   * @throws invalid-parameter  no session is named, or another protocol is asked for
   * @throws unavailable        BuildKit cannot be reached
   */
  async openSession({ headers, signal: left }: ApiRequest): Promise<(connection: HijackedConnection) => Promise<void>> {
    const id = sessionIdOf(headers);
    const buildkit = await this.dial(left);
    return async (connection) => {
      const { stream } = connection;
      const client = http2.connect('http://client', { createConnection: () => stream as Duplex });
      const tunnel = new ByteTunnel(buildkit, sessionPath, this.offer(headers));
      tunnel.on('error', () => {});
      const caller = http2.performServerHandshake(tunnel);
      // A connection that is no socket can go without its session noticing.
      tunnel.on('close', () => caller.destroy());
      forwardStreams(caller, client, (call) =>
        call[':path'] === sendFilesPath && this.loading.has(id)
          ? { kind: 'serve', serve: (each) => receiveImage(each, this.load) }
          : { kind: 'forward' },
      );
      try {
        await closed(caller, connection);
      } finally {
        buildkit.destroy();
      }
    };
  }

  /** The client's own headers, and the one call that is answered here. */
  private offer(headers: IncomingHttpHeaders): Record<string, string | string[]> {
    const offered = Object.entries(headers).filter(([name]) => name.startsWith(exposed));
    const methods = text(headers[`${exposed}grpc-method`]).split(', ').filter(Boolean);
    return {
      ...Object.fromEntries(offered.map(([name, value]) => [name, text(value)])),
      [`${exposed}grpc-method`]: [...new Set([...methods, sendFilesPath])],
    };
  }

  private async dial(left: AbortSignal): Promise<ClientHttp2Session> {
    const session = http2.connect('http://buildkit', { createConnection: () => connect(this.path) });
    // Whoever uses it sees it close.
    session.on('error', () => {});
    try {
      await once(session, 'connect', { signal: left });
    } catch (error) {
      session.destroy();
      throw unavailable(
        `BuildKit cannot be reached at ${this.path}: ${errorMessage(error)}: start it, or take builder.buildkit out of daemon.json`,
        error,
      );
    }
    left.addEventListener('abort', () => session.destroy(), { once: true });
    return session;
  }
}
