import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DockerCli } from './docker-cli';
import { eventually } from './eventually';
import { ApiClient } from './http-client';
import { busyboxImage, dockerArchive } from './images';
import { Traces } from './traces';

const bin = resolve(__dirname, '../../core/bin/gantryd.js');
/** The default runtime of test daemons. The same suites on another one: GANTRY_TEST_RUNTIME=crun. */
export const testRuntime = process.env.GANTRY_TEST_RUNTIME ?? 'runc';
let started = 0;

export interface DaemonOptions {
  /** Keys for daemon.json, over the ones every test daemon has. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What to do after a test failed, so that the next one finds the daemon as it expects it. */
  readonly tidy?: (daemon: TestDaemon) => Promise<void>;
  /** Puts files into the daemon's folder before it starts. */
  readonly beforeStart?: (daemon: TestDaemon) => void;
  /** Loads busybox:latest before the daemon is handed out; default true. */
  readonly busybox?: boolean;
}

/**
 * The built daemon in a process of its own, with its own state, socket, bridge, subnets and control groups, so that
 * neither another daemon of this machine nor another suite is touched.
 */
export class TestDaemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'gantry-e2e-'));
  readonly socketPath = join(this.folder, 'docker.sock');
  readonly host = `unix://${this.socketPath}`;
  readonly dataRoot = join(this.folder, 'data');
  readonly execRoot = join(this.folder, 'exec');
  readonly logPath = join(this.folder, 'daemon.log');
  readonly bridge: string;
  readonly cgroupParent: string;
  readonly api = new ApiClient(this.socketPath);
  readonly cli: DockerCli;
  private readonly traces: Traces;
  private child: ChildProcess | undefined;

  constructor(private readonly options: DaemonOptions) {
    const serial = started++;
    const slot = freeSlot(process.pid + serial);
    this.bridge = `gt${process.pid}n${serial}`;
    this.cgroupParent = `/gantry-e2e-${process.pid}-${serial}`;
    this.traces = new Traces({ folder: this.folder, bridge: this.bridge, cgroupParent: this.cgroupParent });
    writeFileSync(join(this.folder, 'owner'), String(process.pid));
    mkdirSync(join(this.folder, 'client'));
    this.cli = new DockerCli(this.host, join(this.folder, 'client'));
    this.writeConfig({
      bip: `10.214.${slot}.1/24`,
      'default-address-pools': [{ base: `10.215.${slot}.0/24`, size: 28 }],
      'cgroup-parent': this.cgroupParent,
      'plugin-directories': { sockets: join(this.folder, 'plugins'), specs: [] },
      ...(testRuntime === 'runc' ? {} : { 'default-runtime': testRuntime }),
      ...options.config,
    });
  }

  get pid(): number {
    if (!this.child?.pid) throw new Error('the daemon does not run');
    return this.child.pid;
  }

  get runs(): boolean {
    return this.child !== undefined && !hasEnded(this.child);
  }

  /** What the daemon has said so far, over all its lives. */
  get log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, 'utf8') : '';
  }

  /** The port of the tcp socket, which may be open a little later than the unix socket. */
  tcpPort(): Promise<number> {
    const said = () => Number(/API listens.*tcp:\/\/\S+?:(\d+)/.exec(this.log)?.[1]) || undefined;
    return eventually('the tcp socket to be open', said);
  }

  get configPath(): string {
    return join(this.folder, 'daemon.json');
  }

  writeConfig(config: Readonly<Record<string, unknown>>): void {
    writeFileSync(this.configPath, `${JSON.stringify(config, null, 2)}\n`);
  }

  /** Keys over those it was made with; in force after the next start or reload. */
  changeConfig(config: Readonly<Record<string, unknown>>): void {
    this.writeConfig({ ...this.config, ...config });
  }

  /** What daemon.json says now. */
  get config(): Readonly<Record<string, unknown>> {
    return JSON.parse(readFileSync(this.configPath, 'utf8')) as Record<string, unknown>;
  }

  /** Starts the process and waits until it serves. Also used to start it again after `stop` or `kill`. */
  async start(): Promise<void> {
    const log = openSync(this.logPath, 'a');
    const flags = {
      'config-file': this.configPath,
      host: this.host,
      'data-root': this.dataRoot,
      'exec-root': this.execRoot,
      pidfile: join(this.folder, 'pid'),
      bridge: this.bridge,
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(process.execPath, [bin, ...args, ...(this.options.args ?? [])], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.options.env },
    });
    closeSync(log);
    this.child = child;
    await eventually(
      'the daemon to serve',
      async () => {
        if (hasEnded(child)) return true;
        return (await this.api.get('/_ping', { timeoutMs: 2000 })).status === 200;
      },
      30_000,
    );
    if (hasEnded(child)) throw new Error(`the daemon ended while starting:\n${this.tail()}`);
  }

  /** Ends the process as an administrator would. */
  async stop(): Promise<void> {
    await this.end('SIGTERM', 30_000);
  }

  /** Ends the process at once: it gets no chance to tidy up. */
  async kill(): Promise<void> {
    await this.end('SIGKILL', 5000);
  }

  /** Removes containers, networks, volumes and managed plugins, so that only what the daemon forgot can be left. */
  async removeEverything({ keep = [] }: { readonly keep?: readonly string[] } = {}): Promise<void> {
    this.cli.endAll();
    const containers = (await this.api.get('/containers/json?all=1')).json<{ Id: string; Names: string[] }[]>();
    const unwanted = containers.filter(({ Names }) => !Names.some((name) => keep.includes(name.slice(1))));
    await Promise.all(unwanted.map(({ Id }) => this.api.delete(`/containers/${Id}?force=1&v=1`)));
    const networks = (await this.api.get('/networks')).json<{ Id: string; Name: string }[]>();
    for (const { Id, Name } of networks) {
      this.traces.noteNetwork(Id);
      if (!['bridge', 'host', 'none'].includes(Name)) await this.api.delete(`/networks/${Id}`);
    }
    const volumes = (await this.api.get('/volumes')).json<{ Volumes: { Name: string }[] | null }>();
    for (const { Name } of volumes.Volumes ?? []) await this.api.delete(`/volumes/${Name}?force=1`);
    const plugins = (await this.api.get('/plugins')).json<{ Id: string }[]>();
    for (const { Id } of plugins) await this.api.delete(`/plugins/${Id}?force=1`);
  }

  /**
   * Ends the daemon and its containers and looks for what it left on the machine.
   *
   * @returns a line for each thing left; empty is how it should be
   */
  async dispose(): Promise<string[]> {
    try {
      if (this.runs) {
        await this.removeEverything();
        await this.stop();
      }
      return await this.traces.left();
    } finally {
      if (this.runs) await this.kill();
      if ((globalThis as { gantryTestFailed?: boolean }).gantryTestFailed) {
        process.stderr.write(`--- the daemon of ${expect.getState().testPath} said\n${this.tail(60)}\n---\n`);
      }
      this.traces.sweep();
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  tail(lines = 30): string {
    return this.log.trim().split('\n').slice(-lines).join('\n');
  }

  private async end(signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
    const child = this.child;
    if (!child || hasEnded(child)) return;
    child.kill(signal);
    await eventually(`the daemon to end on ${signal}`, () => hasEnded(child), timeoutMs);
  }
}

/** A served daemon; `dispose` it in afterAll. */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new TestDaemon(options);
  try {
    options.beforeStart?.(daemon);
    await daemon.start();
    if (options.busybox !== false) await loadImage(daemon, dockerArchive(busyboxImage()));
  } catch (error) {
    await daemon.dispose().catch(() => {});
    throw error;
  }
  return daemon;
}

export async function loadImage(daemon: TestDaemon, archive: Buffer): Promise<void> {
  const headers = { 'Content-Type': 'application/x-tar' };
  const answer = await daemon.api.post('/images/load?quiet=1', undefined, { body: archive, headers });
  if (answer.status !== 200 || answer.text.includes('"error"'))
    throw new Error(`load: ${answer.status} ${answer.text}`);
}

/**
 * The usual frame of a suite: one daemon for all its tests, and a last word about what it left behind.
 *
 * @returns a function that gives the daemon once the suite runs
 */
export function daemonForSuite(options: DaemonOptions = {}): () => TestDaemon {
  let daemon: TestDaemon | undefined;
  beforeAll(async () => {
    daemon = await startDaemon(options);
  });
  afterEach(async () => {
    // What a failed test leaves is not the next one's trouble.
    const failed = (globalThis as { gantryTestFailed?: boolean }).gantryTestFailed;
    if (failed && daemon) await options.tidy?.(daemon);
  });
  afterAll(async () => {
    const left = await daemon?.dispose();
    expect(left ?? []).toEqual([]);
  });
  return () => {
    if (!daemon) throw new Error('the daemon did not start');
    return daemon;
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** A third octet that no interface or route of this machine uses in our ranges. */
function freeSlot(wish: number): number {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list!.map((each) => each.address));
  const routes = execFileSync('ip', ['route', 'show', 'table', 'all'], { encoding: 'utf8' });
  for (let tries = 0, slot = wish % 250; tries < 250; tries++, slot = (slot + 1) % 250) {
    const used = addresses.some((a) => a.startsWith(`10.214.${slot}.`)) || routes.includes(`10.215.${slot}.`);
    if (!used) return slot;
  }
  throw new Error('no free subnet for a test daemon');
}
