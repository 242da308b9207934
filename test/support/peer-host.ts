import { execFile, execFileSync } from 'node:child_process';

let made = 0;

/**
 * Another host beside this machine: a network namespace on a cable of its own, that reaches this machine's published
 * ports as anybody on the network would.
 */
export class PeerHost {
  private readonly name: string;
  /** The end of the cable in this machine. */
  readonly device: string;
  /** This machine, as the peer sees it. */
  readonly hostAddress: string;
  readonly hostAddressV6: string;
  readonly address: string;
  readonly addressV6: string;

  constructor() {
    const serial = made++;
    this.name = `gtpeer${process.pid}n${serial}`;
    this.device = `gp${process.pid}n${serial}`;
    const slot = (process.pid + serial) % 250;
    this.hostAddress = `198.18.${slot}.1`;
    this.address = `198.18.${slot}.2`;
    this.hostAddressV6 = `fd9e:${slot + 1}::1`;
    this.addressV6 = `fd9e:${slot + 1}::2`;
    const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
    ip('netns', 'add', this.name);
    ip('link', 'add', this.device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.name);
    ip('addr', 'add', `${this.hostAddress}/24`, 'dev', this.device);
    ip('-6', 'addr', 'add', `${this.hostAddressV6}/64`, 'dev', this.device, 'nodad');
    ip('link', 'set', this.device, 'up');
    ip('-n', this.name, 'addr', 'add', `${this.address}/24`, 'dev', 'eth0');
    ip('-n', this.name, '-6', 'addr', 'add', `${this.addressV6}/64`, 'dev', 'eth0', 'nodad');
    ip('-n', this.name, 'link', 'set', 'eth0', 'up');
  }

  /** The peer sends packets for a subnet to this machine, as a router would. */
  routeThroughHost(subnet: string): void {
    execFileSync('ip', ['-n', this.name, 'route', 'add', subnet, 'via', this.hostAddress]);
  }

  /** @returns what a web server says to the peer, or undefined when it cannot be reached within `seconds` */
  fetch(url: string, seconds = 2): Promise<string | undefined> {
    return fetchIn(['ip', 'netns', 'exec', this.name], url, seconds);
  }

  remove(): void {
    execFileSync('ip', ['netns', 'delete', this.name]);
    try {
      execFileSync('ip', ['link', 'delete', this.device], { stdio: 'ignore' });
    } catch {
      // The cable went with the namespace.
    }
  }
}

/** @returns what a web server says to this machine itself */
export function fetchFromHost(url: string, seconds = 2): Promise<string | undefined> {
  return fetchIn([], url, seconds);
}

function fetchIn(prefix: readonly string[], url: string, seconds: number): Promise<string | undefined> {
  const [program = 'curl', ...args] = [...prefix, 'curl', '-sf', '--noproxy', '*', '-m', String(seconds), url];
  return new Promise((resolve) => {
    execFile(program, args, (error, stdout) => resolve(error ? undefined : stdout.trim()));
  });
}
