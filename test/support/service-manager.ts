import { type ChildProcess, spawn } from 'node:child_process';
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

/** Opens the sockets, puts them from descriptor 3 on, and becomes the service. Nobody else may accept on them. */
const launcher = `
import os, socket, sys
count = int(sys.argv[1])
paths, command = sys.argv[2:2 + count], sys.argv[2 + count:]
sockets = []
for path in paths:
    one = socket.socket(socket.AF_UNIX)
    one.bind(path)
    one.listen(128)
    sockets.append(os.dup(one.fileno()))
high = [os.dup2(fd, 100 + index) for index, fd in enumerate(sockets)]
for index, fd in enumerate(high):
    os.dup2(fd, 3 + index, inheritable=True)
    os.close(fd)
os.environ['LISTEN_PID'] = str(os.getpid())
os.closerange(3 + count, 64)
os.execv(command[0], command)
`;

/** Plays systemd: opens sockets, hands them over, and hears what the service has to say. */
export class ServiceManager {
  /** Messages as they came, each with one or more lines `NAME=value`. */
  readonly told: string[] = [];
  log = '';
  private readonly sockets: { readonly path: string; readonly name: string }[] = [];
  private box: ChildProcess | undefined;
  private service: ChildProcess | undefined;

  /** @param notifySocket  an absolute path, or `@name` */
  constructor(private readonly notifySocket: string) {}

  /** A socket unit for the service: opened at its start. */
  listen(path: string, name: string): void {
    this.sockets.push({ path, name });
  }

  async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const box = spawn('python3', ['-c', receiver, this.notifySocket], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.box = box;
    createInterface(box.stdout).on('line', (line) => this.told.push(JSON.parse(line) as string));
    await eventually('the notify socket', () => this.told.shift() === 'listening');
    const paths = this.sockets.map(({ path }) => path);
    const command = [process.execPath, gantryd, ...args];
    const service = spawn('python3', ['-c', launcher, String(paths.length), ...paths, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NOTIFY_SOCKET: this.notifySocket,
        LISTEN_FDS: String(paths.length),
        LISTEN_FDNAMES: this.sockets.map(({ name }) => name).join(':'),
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
    const hasEnded = () => this.service!.exitCode !== null;
    await eventually(`the service to say ${line}`, () => this.told.some(fits) || hasEnded(), timeoutMs);
    if (!this.told.some(fits)) throw new Error(`the service said ${JSON.stringify(this.told)} and ended:\n${this.log}`);
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
  }
}

/** Flags of a daemon that has everything below one folder, and no bridge. */
export const ownPlace = (folder: string): string[] => [
  `--data-root=${join(folder, 'data')}`,
  `--exec-root=${join(folder, 'exec')}`,
  `--pidfile=${join(folder, 'pid')}`,
  '--bridge=none',
];
