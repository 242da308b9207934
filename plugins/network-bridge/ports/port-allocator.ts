import { readFileSync } from 'node:fs';
import { type PortBinding, systemError } from '@gantry/sdk';
import { type HeldPort, holdPort, type PortTarget } from './host-port';

export interface BoundHostPort {
  readonly proto: PortBinding['proto'];
  /** As shown to the user: `0.0.0.0`, `::` or the address that was asked for. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly port: number;
  readonly held: HeldPort;
}

export interface PortTargets {
  readonly ipv4: PortTarget | undefined;
  readonly ipv6: PortTarget | undefined;
}

/** Host ports given to containers: who has what, the sockets that hold them, and where to look for free ones. */
export class PortAllocator {
  private readonly taken = new Set<string>();
  private cursor = 0;

  /** @param relays what reaches the held sockets is relayed */
  constructor(readonly relays: boolean) {}

  /**
   * Binds one host port on all the addresses, the same on each.
   * @throws system as dockerd words it, nothing is held then
   */
  bind(binding: PortBinding, hostIps: readonly string[], targets: PortTargets): BoundHostPort[] {
    const { hostPort, hostPortEnd } = binding;
    if (hostPort !== 0 && hostPortEnd <= hostPort) return this.bindAll(binding, hostPort, hostIps, targets);
    const [first, last] = hostPort === 0 ? ephemeralRange() : [hostPort, hostPortEnd];
    const size = last - first + 1;
    const start = hostPort === 0 ? this.cursor++ % size : 0;
    let failure: unknown;
    for (let step = 0; step < size; step++) {
      const port = first + ((start + step) % size);
      try {
        const bound = this.bindAll(binding, port, hostIps, targets);
        if (hostPort === 0) this.cursor = port - first + 1;
        return bound;
      } catch (error) {
        failure = error;
      }
    }
    throw hostPort === 0 ? systemError('all ports are allocated') : failure;
  }

  release(bound: readonly BoundHostPort[]): void {
    for (const { proto, hostIp, hostPort, held } of bound) {
      held.close();
      this.taken.delete(keyOf(proto, hostIp, hostPort));
    }
  }

  private bindAll(
    binding: PortBinding,
    hostPort: number,
    hostIps: readonly string[],
    targets: PortTargets,
  ): BoundHostPort[] {
    const bound: BoundHostPort[] = [];
    try {
      for (const hostIp of hostIps) bound.push(this.bindOne(binding, hostIp, hostPort, targets));
      return bound;
    } catch (error) {
      this.release(bound);
      throw error;
    }
  }

  private bindOne({ proto, port }: PortBinding, hostIp: string, hostPort: number, targets: PortTargets): BoundHostPort {
    const shown = hostIp.includes(':') ? `[${hostIp}]` : hostIp;
    if (this.isTaken(proto, hostIp, hostPort))
      throw systemError(`Bind for ${shown}:${hostPort} failed: port is already allocated`);
    const target = (hostIp.includes(':') ? targets.ipv6 : undefined) ?? targets.ipv4 ?? targets.ipv6;
    try {
      const held = holdPort(proto, hostIp, hostPort, this.relays ? target : undefined);
      this.taken.add(keyOf(proto, hostIp, hostPort));
      return { proto, hostIp, hostPort, port, held };
    } catch (error) {
      throw systemError(`failed to bind host port ${shown}:${hostPort}/${proto}: ${reason(error)}`, error);
    }
  }

  // A port on all addresses and the same port on one of them exclude each other.
  private isTaken(proto: string, hostIp: string, port: number): boolean {
    const any = hostIp.includes(':') ? '::' : '0.0.0.0';
    if (this.taken.has(keyOf(proto, hostIp, port)) || this.taken.has(keyOf(proto, any, port))) return true;
    if (hostIp !== any) return false;
    for (const key of this.taken)
      if (key.startsWith(`${proto} ${port} `) && key.includes(':') === any.includes(':')) return true;
    return false;
  }
}

function keyOf(proto: string, hostIp: string, port: number): string {
  return `${proto} ${port} ${hostIp}`;
}

function ephemeralRange(): [number, number] {
  const [first = 32768, last = 60999] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .trim()
    .split(/\s+/)
    .map(Number);
  return [first, last];
}

function reason(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'address already in use';
    case 'EADDRNOTAVAIL':
      return 'cannot assign requested address';
    case 'EACCES':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
