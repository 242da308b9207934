import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  ApiReply,
  DaemonSettings,
  DriverSet,
  EngineEvent,
  IpamDriver,
  Logger,
  NetworkDriver,
  SandboxRequest,
} from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import {
  leaveForNewNetworkNamespace,
  moveToNetworkNamespace,
  openOwnNetworkNamespace,
  removeNetworkNamespace,
} from '@gantry/sdk/linux/network-namespaces';
import { changeLink, listLinks } from '@gantry/sdk/linux/rtnetlink';
import { createOnlyNetworkDriver } from '@gantry/sdk/network-drivers';
import { startBridge } from '../../network-bridge/start';
import { type NetworksPlugin, startNetworks } from '../start';

export const ENGINE_ID = 'feedc0de00000000';
export const TABLE = `gantry-${ENGINE_ID.slice(0, 8)}`;

export interface TestEngine extends NetworksPlugin {
  readonly root: string;
  readonly events: EngineEvent[];
  readonly complaints: string[];
  /** Ends the plugin as a killed daemon would: sockets close, the kernel's state and the records stay. */
  die(): Promise<void>;
  request(name: string, more?: Partial<SandboxRequest>): SandboxRequest;
  api(method: string, path: string, options?: { query?: string; body?: unknown }): Promise<any>;
}

/** Puts this process into an empty network of its own. @returns the way back */
export function enterPrivateNetwork(): () => void {
  const home = openOwnNetworkNamespace();
  leaveForNewNetworkNamespace();
  const socket = NetlinkSocket.open();
  socket.requestSync([changeLink(1, { up: true })]);
  socket.close();
  return () => {
    moveToNetworkNamespace(home);
    closeSync(home);
  };
}

export function newRoot(): string {
  return mkdtempSync(join(tmpdir(), 'networks-test-'));
}

/** Takes away what a test left in a root, namespaces included. */
export function removeRoot(root: string): void {
  const directory = join(root, 'run/netns');
  try {
    for (const name of readdirSync(directory)) removeNetworkNamespace(join(directory, name));
  } catch {
    // No sandbox was ever made.
  }
  rmSync(root, { recursive: true, force: true });
}

export function testSettings(root: string, bridge: Partial<DaemonSettings['bridge']> = {}): DaemonSettings {
  return {
    dataRoot: root,
    execRoot: root,
    engineId: ENGINE_ID,
    bridge: {
      name: 'tdocker0',
      icc: true,
      ipMasq: true,
      ipForward: true,
      manageFirewall: true,
      manageFirewallV6: true,
      firewallBackend: 'nftables',
      allowDirectRouting: false,
      acceptFwmark: '',
      ipv6: false,
      hostIp: '0.0.0.0',
      userlandProxy: true,
      ...bridge,
    },
    mtu: 0,
    defaultNetworkOptions: {},
    defaultAddressPools: [],
    dns: [],
    dnsOptions: [],
    dnsSearch: [],
    hostGatewayIps: [],
  } as unknown as DaemonSettings;
}

export async function startEngine(
  root: string,
  running: readonly string[] = [],
  settings = testSettings(root),
  more: { readonly drivers?: Record<string, NetworkDriver>; readonly ipamDrivers?: Record<string, IpamDriver> } = {},
): Promise<TestEngine> {
  const complaints: string[] = [];
  const note = (message: string, fields?: Record<string, unknown>) =>
    void complaints.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Logger = { debug: () => undefined, info: () => undefined, warn: note, error: note, child: () => log };
  const bridge = startBridge(settings, { mtu: 0, hostFirewallDecides: false }, log);
  const drivers: Record<string, NetworkDriver> = {
    bridge,
    host: createOnlyNetworkDriver('host'),
    null: createOnlyNetworkDriver('null'),
    ...more.drivers,
  };
  const events: EngineEvent[] = [];
  const stops: (() => unknown)[] = [() => bridge.close()];
  for (const name of ['state', 'run']) mkdirSync(join(root, name), { recursive: true });
  const plugin = await startNetworks({
    needs: {
      events: { publish: (event) => void events.push(event), subscribe: () => () => undefined },
      drivers: driverSet(drivers),
      ipamDrivers: driverSet<IpamDriver>(more.ipamDrivers ?? {}),
    },
    settings,
    stateDir: join(root, 'state'),
    runDir: join(root, 'run'),
    log,
    onStop: (stop) => void stops.push(typeof stop === 'function' ? stop : () => stop.close()),
  });
  await plugin.manager.restore(new Set(running.map(containerId)));
  return {
    ...plugin,
    root,
    events,
    complaints,
    async die() {
      for (const stop of stops.reverse()) await stop();
    },
    request(name, more = {}) {
      const filesDir = join(root, 'files', name);
      mkdirSync(filesDir, { recursive: true });
      return {
        containerId: containerId(name),
        containerName: name,
        kind: 'private',
        hostname: `host-${name}`,
        domainname: '',
        endpoints: [{ network: 'bridge' }],
        exposedPorts: [],
        portBindings: [],
        dns: [],
        dnsSearch: [],
        dnsOptions: [],
        extraHosts: [],
        sysctls: {},
        filesDir,
        ...more,
      };
    },
    async api(method, path, { query = '', body } = {}) {
      for (const route of plugin.routes.routes) {
        const match = new RegExp(`^${route.path.replace('{id}', '(?<id>[^/]+)')}$`).exec(path);
        if (route.method !== method || !match || (path === '/networks/create' && route.path.includes('{'))) continue;
        const reply = (await route.handle({
          params: { ...match.groups },
          query: new URLSearchParams(query),
          json: async () => body,
        } as never)) as ApiReply;
        return 'body' in reply ? reply.body : undefined;
      }
      throw new Error(`no route for ${method} ${path}`);
    },
  };
}

export const containerId = (name: string): string => Buffer.from(name).toString('hex').padEnd(64, '0');

export const publish = (port: number, hostPort: number, more: object = {}) => ({
  proto: 'tcp' as const,
  port,
  hostIp: '',
  hostPort,
  hostPortEnd: hostPort,
  ...more,
});

export const never: AbortSignal = new AbortController().signal;

/** Runs a program inside a namespace. @returns its output; rejects when it fails or takes longer than `timeoutMs` */
export function inside(key: string, program: string, args: readonly string[], timeoutMs = 20_000): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('nsenter', [`--net=${key}`, program, ...args], { timeout: timeoutMs }, (error, out, err) =>
      error ? reject(new Error(`${error.message} ${err}`)) : resolve(out),
    );
  });
}

const servers: ChildProcess[] = [];

/** A server inside a namespace that answers each connection (or datagram) with `<words> <address of the client>`. */
export async function serve(key: string, port: number, words: string, proto: 'tcp' | 'udp' = 'tcp'): Promise<void> {
  const tcp = `require('net').createServer((s) => s.end('${words} ' + s.remoteAddress)).listen(${port}, () => console.log('up'))`;
  const udp = `const d = require('dgram').createSocket('udp4'); d.on('message', (m, r) => d.send('${words} ' + r.address, r.port, r.address)); d.bind(${port}, () => console.log('up'))`;
  const child = spawn('nsenter', [`--net=${key}`, process.execPath, '-e', proto === 'tcp' ? tcp : udp], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  servers.push(child);
  await new Promise<void>((resolve) => child.stdout!.once('data', () => resolve()));
}

export function stopServers(): void {
  for (const child of servers.splice(0)) child.kill('SIGKILL');
}

/** Connects from inside a namespace (or from here) and returns what the server says. */
export function dial(
  key: string | undefined,
  host: string,
  port: number,
  proto: 'tcp' | 'udp' = 'tcp',
): Promise<string> {
  const tcp = `const s = require('net').connect(${port}, '${host}'); s.on('data', (d) => process.stdout.write(d)); s.on('error', (e) => { console.error(e.code); process.exit(1); })`;
  const udp = `const d = require('dgram').createSocket('${host.includes(':') ? 'udp6' : 'udp4'}'); d.on('message', (m) => { process.stdout.write(m); d.close(); }); d.send('x', ${port}, '${host}')`;
  // Counted once the program runs: a busy machine needs its time to start it.
  const silence = 'setTimeout(() => { console.error("no answer"); process.exit(2); }, 1500).unref();';
  const script = `${silence} ${proto === 'tcp' ? tcp : udp}`;
  const patienceMs = 20_000;
  if (key !== undefined) return inside(key, process.execPath, ['-e', script], patienceMs);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['-e', script], { timeout: patienceMs }, (error, out, err) =>
      error ? reject(new Error(`${error.message} ${err}`)) : resolve(out),
    );
  });
}

export const linkNames = (): string[] => {
  const socket = NetlinkSocket.open();
  try {
    return listLinks(socket).map((link) => link.name);
  } finally {
    socket.close();
  }
};

export const nftTable = (): string => execFileSync('nft', ['list', 'table', 'inet', TABLE], { encoding: 'utf8' });

export async function eventually(check: () => boolean | Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('it did not come to pass in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function driverSet<T>(drivers: Record<string, T>): DriverSet<T> {
  return {
    names: () => Object.keys(drivers).sort(),
    get: (name) => drivers[name],
    nameOf: (name) => name,
    entries: () => Object.entries(drivers),
    discover: async () => {},
    resolve: async (name) => {
      const driver = drivers[name];
      if (driver === undefined)
        throw Object.assign(new Error(`plugin "${name}" not found`), { name: 'EngineError', kind: 'not-found' });
      return driver;
    },
  };
}
