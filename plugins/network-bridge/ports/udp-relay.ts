import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { HeldPort, PortTarget } from './host-port';

const IDLE_MS = 90_000;
const MAX_CLIENTS = 1024;

/** Passes datagrams on in user land: one socket towards the container per client, forgotten when it falls silent. */
export function relayUdp(fd: number, v6: boolean, target: PortTarget): HeldPort {
  const clients = new Map<string, { readonly upstream: Socket; timer: NodeJS.Timeout }>();
  const front = createSocket(v6 ? 'udp6' : 'udp4');
  const drop = (key: string) => {
    const client = clients.get(key);
    if (client === undefined) return;
    clients.delete(key);
    clearTimeout(client.timer);
    client.upstream.close();
  };
  const open = (key: string, from: RemoteInfo) => {
    const upstream = createSocket(target.ip.includes(':') ? 'udp6' : 'udp4');
    upstream.on('message', (message) => {
      clients.get(key)?.timer.refresh();
      front.send(message, from.port, from.address);
    });
    upstream.on('error', () => drop(key));
    const client = { upstream, timer: setTimeout(() => drop(key), IDLE_MS).unref() };
    clients.set(key, client);
    return client;
  };
  front.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const known = clients.get(key);
    if (known === undefined && clients.size >= MAX_CLIENTS) return;
    const client = known ?? open(key, from);
    client.timer.refresh();
    client.upstream.send(message, target.port, target.ip);
  });
  front.on('error', () => undefined);
  front.bind({ fd, exclusive: true });
  front.unref();
  return {
    close() {
      for (const key of [...clients.keys()]) drop(key);
      front.close();
    },
  };
}
