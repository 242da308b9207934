import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from './eventually';
import { gantryd } from './gantryd-command';

/** Listens where NOTIFY_SOCKET points and prints each message as JSON: Node has no datagrams on unix sockets. */
const receiver = `
import json, os, socket, sys
address = sys.argv[1]
box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
box.bind('\\0' + address[1:] if address.startswith('@') else address)
print(json.dumps('listening'), flush=True)
while True:
    print(json.dumps(box.recv(65536).decode()), flush=True)
`;

/** Plays systemd: opens sockets, hands them over, and hears what the service has to say. */
export class ServiceManager {
  /** Messages as they came, each with one or more lines `NAME=value`. */
  readonly told: string[] = [];
  log = '';
  private readonly sockets: net.Server[] = [];
  private readonly names: string[] = [];
  private box: ChildProcess | undefined;
  private service: ChildProcess | undefined;

  /** @param notifySocket  an absolute path, or `@name` */
  constructor(private readonly notifySocket: string) {}

  /** Opens a socket as a socket unit does. */
  async listen(path: string, name: string): Promise<void> {
    const server = net.createServer();
    await new Promise<void>((done) => server.listen(path, done));
    this.sockets.push(server);
    this.names.push(name);
  }

  async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const box = spawn('python3', ['-c', receiver, this.notifySocket], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.box = box;
    createInterface(box.stdout).on('line', (line) => this.told.push(JSON.parse(line) as string));
    await eventually('the notify socket', () => this.told.shift() === 'listening');
    const fds = this.sockets.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd);
    // LISTEN_PID is known once the process exists: the shell gives its own, and becomes the daemon.
    const service = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, gantryd, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', ...fds],
      env: {
        ...process.env,
        NOTIFY_SOCKET: this.notifySocket,
        ...(fds.length > 0 ? { LISTEN_FDS: String(fds.length), LISTEN_FDNAMES: this.names.join(':') } : {}),
        ...env,
      },
    });
    this.service = service;
    for (const stream of [service.stdout!, service.stderr!])
      stream.on('data', (chunk) => {
        this.log += chunk;
      });
  }

  get pid(): number {
    return this.service!.pid!;
  }

  /** Waits until a message with this line has come. */
  async hears(line: string | RegExp, timeoutMs = 30_000): Promise<string> {
    const fits = (message: string) =>
      message.split('\n').some((each) => (typeof line === 'string' ? each === line : line.test(each)));
    await eventually(
      `the service to say ${line}, having said ${JSON.stringify(this.told)}`,
      () => {
        if (this.service!.exitCode !== null) throw new Error(`the service ended:\n${this.log}`);
        return this.told.some(fits);
      },
      timeoutMs,
    );
    return this.told.find(fits)!;
  }

  async ended(): Promise<number | null> {
    const service = this.service!;
    await eventually('the service to end', () => service.exitCode !== null || service.signalCode !== null, 40_000);
    return service.exitCode;
  }

  async close(): Promise<void> {
    if (this.service !== undefined && this.service.exitCode === null && this.service.signalCode === null) {
      this.service.kill('SIGKILL');
      await this.ended();
    }
    this.box?.kill('SIGKILL');
    for (const server of this.sockets) server.close();
  }
}

/** Flags of a daemon that has everything below one folder, and no bridge. */
export const ownPlace = (folder: string): string[] => [
  `--data-root=${join(folder, 'data')}`,
  `--exec-root=${join(folder, 'exec')}`,
  `--pidfile=${join(folder, 'pid')}`,
  '--bridge=none',
];
