import { createSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { withinNetworkNamespace } from '@gantry/sdk/linux/network-namespaces';
import { openBoundSocket } from '@gantry/sdk/linux/sockets';
import type { Upstream } from '../sandbox/resolv-conf';
import { type DnsQuery, dnsCode, inspectAnswer } from './wire';

const SERVERS_TRIED = 3;
const TIMEOUT_MS = 4000;
const DNS_PORT = 53;

type Transport = 'udp' | 'tcp';

/**
 * Asks the upstream servers in turn, from inside the sandbox's network unless a server is only reachable from the
 * host. @returns the first usable answer, else the last one; undefined when nobody answered
 */
export async function forward(
  transport: Transport,
  message: Buffer,
  query: DnsQuery,
  upstreams: readonly Upstream[],
  sandboxKey: string,
): Promise<Buffer | undefined> {
  let last: Buffer | undefined;
  for (const upstream of upstreams.slice(0, SERVERS_TRIED)) {
    const answer = await ask(transport, message, query, upstream, sandboxKey).catch(() => undefined);
    if (answer === undefined) continue;
    last = answer;
    const { code, authoritative } = inspectAnswer(answer, message, query)!;
    if (code === dnsCode.noError || (code === dnsCode.nameError && authoritative)) return answer;
  }
  return last;
}

async function ask(
  transport: Transport,
  message: Buffer,
  query: DnsQuery,
  upstream: Upstream,
  sandboxKey: string,
): Promise<Buffer> {
  const any = new Uint8Array(upstream.address.includes(':') ? 16 : 4);
  const open = () => openBoundSocket(transport, any, 0, { listen: false });
  const fd = upstream.fromHost ? open() : withinNetworkNamespace(sandboxKey, open);
  return transport === 'udp' ? askUdp(fd, message, query, upstream) : askTcp(fd, message, query, upstream);
}

function askUdp(fd: number, message: Buffer, query: DnsQuery, { address }: Upstream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = (error: Error | undefined, answer?: Buffer) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      if (answer) resolve(answer);
      else reject(error ?? new Error('no answer'));
    };
    const timer = setTimeout(() => end(new Error(`${address} did not answer in time`)), TIMEOUT_MS);
    socket.on('error', (error) => end(error));
    socket.on('message', (answer, from) => {
      // Whoever sends something else to this port is not the server that was asked.
      if (from.address === address && from.port === DNS_PORT && inspectAnswer(answer, message, query))
        end(undefined, answer);
    });
    socket.bind({ fd }, () => socket.send(message, DNS_PORT, address, (error) => error && end(error)));
  });
}

function askTcp(fd: number, message: Buffer, query: DnsQuery, { address }: Upstream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: true });
    const timer = setTimeout(() => socket.destroy(new Error(`${address} did not answer in time`)), TIMEOUT_MS);
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      if (inspectAnswer(answer, message, query)) resolve(answer);
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${address} closed the connection`));
    });
    socket.connect({ host: address, port: DNS_PORT }, () => socket.write(framed(message)));
  });
}

/** A message with its length, as TCP wants it. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
