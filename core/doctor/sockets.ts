import net from 'node:net';
import type { ListenAddress } from '../api/listeners/listen-address';
import { formatListenAddress } from '../api/listeners/listen-address';
import { type Look, missing, ok, warn } from './finding';

const probeTimeoutMs = 1000;

/** @param ownPid  the daemon of this configuration when it runs: what it serves is as it should be */
export function lookAtSockets(addresses: readonly ListenAddress[], ownPid: number | undefined): Promise<Look[]> {
  return Promise.all(addresses.map((address) => lookAt(address, ownPid)));
}

async function lookAt(address: ListenAddress, ownPid: number | undefined): Promise<Look> {
  const name = formatListenAddress(address);
  if (address.kind === 'fd') return ok(name, 'handed over by systemd at the start');
  const answer = await probe(
    address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
  );
  if (answer === 'free') return ok(name, 'free');
  if (answer === 'closed') return warn(name, 'may not be looked at', 'look as root');
  if (ownPid !== undefined) return ok(name, `served by the running daemon (PID ${ownPid})`);
  return missing(name, 'served by another process', 'stop it (is dockerd or podman running?), or choose another -H');
}

function probe(target: net.NetConnectOpts): Promise<'free' | 'served' | 'closed'> {
  return new Promise((resolve) => {
    const socket = net.connect(target);
    const settle = (answer: 'free' | 'served' | 'closed') => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeTimeoutMs, () => settle('free'));
    socket.once('connect', () => settle('served'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'EACCES' ? 'closed' : 'free'));
  });
}
