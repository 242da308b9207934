import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { withinNetworkNamespace } from '@gantry/sdk/linux/network-namespaces';
import {
  addNatOutputChain,
  addPortRedirect,
  addTable,
  deleteTable,
  NETLINK_NETFILTER,
  nftTransaction,
} from '@gantry/sdk/linux/nftables';
import { openBoundSocket } from '@gantry/sdk/linux/sockets';
import type { Upstream } from '../sandbox/resolv-conf';
import { forward, framed } from './forwarder';
import type { NameTable } from './name-table';
import { answerLocally, type ResolverView, TCP_SIZE } from './resolver';
import { buildReply, type DnsQuery, dnsCode, parseQuery } from './wire';

const ADDRESS = Uint8Array.from([127, 0, 0, 11]);
const PORT = 53;
/** nf_tables table inside the sandbox. */
const TABLE = 'gantry-resolver';
/** Questions that wait for upstream servers at a time; more are dropped and asked again by their clients. */
const MAX_FORWARDED = 1024;
const TCP_IDLE_MS = 10_000;

/** The resolver of one sandbox: sockets inside its namespace, served by this process. */
export class DnsServer {
  private forwarded = 0;
  private readonly connections = new Set<Socket>();

  private constructor(
    private readonly sandboxKey: string,
    private readonly table: NameTable,
    private view: ResolverView,
    private upstreams: readonly Upstream[],
    private readonly udp: UdpSocket,
    private readonly tcp: Server,
  ) {}

  /** Resolves when both sockets receive. */
  static async open(
    sandboxKey: string,
    table: NameTable,
    view: ResolverView,
    upstreams: readonly Upstream[],
    log: Logger,
  ): Promise<DnsServer> {
    // Any port but 53 itself: a container may well run a name server that binds that port on all addresses.
    const fds = openSockets(sandboxKey, 0);
    const udp = createSocket({ type: 'udp4', lookup: asItIs });
    const tcp = createServer();
    const server = new DnsServer(sandboxKey, table, view, upstreams, udp, tcp);
    udp.on('message', (message, from) => void server.onUdp(message, from.port, from.address));
    udp.on('error', (error) => log.warn('a resolver socket failed', { sandbox: sandboxKey, error: error.message }));
    tcp.on('connection', (connection) => server.onConnection(connection));
    tcp.on('error', (error) => log.warn('a resolver socket failed', { sandbox: sandboxKey, error: error.message }));
    tcp.listen({ fd: fds.tcp });
    await new Promise<void>((resolve) => udp.bind({ fd: fds.udp, exclusive: true }, resolve));
    try {
      await redirectPort(sandboxKey, udp.address().port, (tcp.address() as AddressInfo).port);
      return server;
    } catch (error) {
      server.close();
      throw error;
    }
  }

  update(view: ResolverView, upstreams: readonly Upstream[]): void {
    this.view = view;
    this.upstreams = upstreams;
  }

  close(): void {
    this.udp.close();
    this.tcp.close();
    for (const connection of this.connections) connection.destroy();
  }

  private onUdp(message: Buffer, port: number, address: string): void {
    const query = parseQuery(message);
    if (query === undefined) return;
    const answer = answerLocally(this.table, this.view, message, query, query.udpSize);
    if (answer !== 'forward') this.udp.send(answer, port, address);
    else
      void this.forward('udp', message, query).then((reply) => {
        try {
          if (reply) this.udp.send(reply, port, address);
        } catch {
          // The sandbox was closed while its question was out.
        }
      });
  }

  private onConnection(connection: Socket): void {
    this.connections.add(connection);
    connection.setTimeout(TCP_IDLE_MS, () => connection.destroy());
    connection.on('close', () => this.connections.delete(connection));
    connection.on('error', () => undefined);
    let received = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const message = Buffer.from(received.subarray(2, end));
        received = received.subarray(end);
        void this.onTcp(message, connection);
      }
    });
  }

  private async onTcp(message: Buffer, connection: Socket): Promise<void> {
    const query = parseQuery(message);
    if (query === undefined) {
      connection.destroy();
      return;
    }
    const answer = answerLocally(this.table, this.view, message, query, TCP_SIZE);
    const reply = answer === 'forward' ? await this.forward('tcp', message, query) : answer;
    if (reply && !connection.destroyed) connection.write(framed(reply));
  }

  private async forward(transport: 'udp' | 'tcp', message: Buffer, query: DnsQuery): Promise<Buffer | undefined> {
    if (this.forwarded >= MAX_FORWARDED) return undefined;
    this.forwarded++;
    try {
      const answer = await forward(transport, message, query, this.upstreams, this.sandboxKey);
      return answer ?? buildReply(message, query, dnsCode.serverFailure, [], 0, TCP_SIZE);
    } finally {
      this.forwarded--;
    }
  }
}

/** Answers go to addresses: nothing is to be looked up. */
const asItIs = (
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, address, 4);

interface Sockets {
  readonly udp: number;
  readonly tcp: number;
}

function openSockets(sandboxKey: string, port: number): Sockets {
  return withinNetworkNamespace(sandboxKey, () => {
    const udp = openBoundSocket('udp', ADDRESS, port);
    try {
      return { udp, tcp: openBoundSocket('tcp', ADDRESS, port) };
    } catch (error) {
      closeSync(udp);
      throw error;
    }
  });
}

/** Sends port 53 of the resolver's address to the ports it listens on. Replaces what an earlier daemon set. */
async function redirectPort(sandboxKey: string, udpPort: number, tcpPort: number): Promise<void> {
  const socket = withinNetworkNamespace(sandboxKey, () => NetlinkSocket.open(NETLINK_NETFILTER));
  try {
    await nftTransaction(socket, [
      addTable('ip', TABLE),
      deleteTable('ip', TABLE),
      addTable('ip', TABLE),
      addNatOutputChain('ip', TABLE, 'output'),
      addPortRedirect(TABLE, 'output', { proto: 'udp', address: ADDRESS, port: PORT, toPort: udpPort }),
      addPortRedirect(TABLE, 'output', { proto: 'tcp', address: ADDRESS, port: PORT, toPort: tcpPort }),
    ]);
  } finally {
    socket.close();
  }
}
