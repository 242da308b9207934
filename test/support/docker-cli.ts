import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { eventually, patience } from './eventually';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Written to standard input, which is then closed. Without it standard input is empty. */
  readonly input?: string | Buffer;
  /** Default 60,000; then the client is killed and the call fails. */
  readonly timeoutMs?: number;
}

/** The real docker client, bound to one daemon and to a configuration folder of its own. */
export class DockerCli {
  private readonly env: NodeJS.ProcessEnv;
  private readonly running = new Set<RunningCli>();

  /** @param more  beyond what every client has, or instead of it */
  constructor(host: string, configFolder: string, more: Readonly<Record<string, string>> = {}) {
    this.env = {
      PATH: process.env.PATH,
      HOME: configFolder,
      TERM: 'xterm',
      DOCKER_HOST: host,
      DOCKER_CONFIG: configFolder,
      DOCKER_CLI_HINTS: 'false',
      DOCKER_BUILDKIT: '0',
      ...more,
    };
  }

  /** Runs to the end, whatever the exit code. */
  async run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const client = this.start(args);
    client.child.stdin!.end(options.input ?? '');
    return client.end(options.timeoutMs ?? 60_000);
  }

  /** Runs to the end and returns the trimmed standard output; any exit code but 0 is a failure. */
  async ok(...args: string[]): Promise<string> {
    const result = await this.run(args);
    if (result.code !== 0) throw new Error(`docker ${args.join(' ')}: exit code ${result.code}\n${result.stderr}`);
    return result.stdout.trim();
  }

  /** Starts the client with pipes for standard input and output. */
  start(args: readonly string[]): RunningCli {
    const child = spawn('docker', args, { env: this.env, stdio: 'pipe' });
    return this.follow(new RunningCli(`docker ${args.join(' ')}`, child));
  }

  /** Starts the client on a terminal of its own. */
  startOnTerminal(args: readonly string[]): TerminalCli {
    const line = ['docker', ...args].map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(' ');
    const child = spawn('script', ['-qefc', `exec ${line}`, '/dev/null'], { env: this.env, stdio: 'pipe' });
    return this.follow(new TerminalCli(line, child));
  }

  /** Ends every client that still runs: those of a test that gave up. */
  endAll(): void {
    for (const client of this.running) client.child.kill('SIGKILL');
  }

  private follow<T extends RunningCli>(client: T): T {
    this.running.add(client);
    client.child.once('close', () => this.running.delete(client));
    return client;
  }
}

/** A client that runs; its output is collected. */
export class RunningCli {
  stdout = '';
  stderr = '';
  private readonly ended: Promise<number | null>;

  constructor(
    private readonly what: string,
    readonly child: ChildProcess,
  ) {
    child.stdout?.on('data', (data) => {
      this.stdout += data;
    });
    child.stderr?.on('data', (data) => {
      this.stderr += data;
    });
    child.stdin?.on('error', () => {}); // The client may end before it has read everything.
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code));
    });
    this.ended.catch(() => {});
  }

  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /** Waits until the output so far matches. */
  async shows(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    return eventually(
      `${pattern} in the output of ${this.what}`,
      () => {
        const match = pattern.exec(this.stdout);
        if (!match) throw new Error(`it says ${JSON.stringify(this.stdout.slice(-500))} ${this.stderr.slice(-500)}`);
        return match;
      },
      timeoutMs,
    );
  }

  async end(timeoutMs = 60_000): Promise<CliResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.child.kill('SIGKILL');
        reject(
          new Error(
            `${this.what}: not done in ${timeoutMs} ms\n${this.stdout.slice(-800)}\n${this.stderr.slice(-800)}`,
          ),
        );
      }, timeoutMs * patience);
    });
    try {
      const code = await Promise.race([this.ended, late]);
      return { code, stdout: this.stdout, stderr: this.stderr };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A client on a pseudo-terminal. */
export class TerminalCli extends RunningCli {
  /** Gives the terminal another size, as a person who drags a window's corner. */
  async resize(rows: number, columns: number): Promise<void> {
    const terminal = await eventually("the client's terminal", () => terminalOfChild(this.child.pid!));
    execFileSync('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)]);
  }
}

function terminalOfChild(parent: number): string | undefined {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      const terminal = readlinkSync(`/proc/${pid}/fd/0`);
      if (Number(fields[1]) === parent && name === 'docker' && terminal.startsWith('/dev/pts/')) return terminal;
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}
