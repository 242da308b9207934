import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { notFound, systemError } from '../errors';
import { temporaryDirectory } from './temporary-directory';

/** How to start a daemon of a test's own. */
export interface TestDaemonOptions {
  /** Keys of daemon.json; `plugins` is where yours goes. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further arguments of gantryd. */
  readonly args?: readonly string[];
  /** The daemon's program; the `gantryd` of the nearest node_modules/.bin when absent. */
  readonly program?: string;
  /** Milliseconds until it must serve; 30,000 when absent. */
  readonly startTimeoutMs?: number;
}

/** A daemon that answers on a socket of its own until it is closed. */
export interface TestDaemon {
  /** `unix:///…`, for `docker -H`. */
  readonly host: string;
  readonly socketPath: string;
  readonly dataRoot: string;
  readonly pid: number;
  /** Everything it has logged. */
  log(): Promise<string>;
  /** One request of the Engine API; `body` is sent as JSON, and an answer in JSON comes parsed. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>;
  /** Ends it and removes its directories. Containers, networks and volumes should be gone by then. */
  close(): Promise<void>;
}

/**
 * Starts a daemon with state, socket and settings of its own, without a default bridge, beside whatever else runs on
 * this machine. Needs root.
 *
 * @throws system     it ended, or did not serve in time; the message carries the end of its log
 * @throws not-found  there is no program to start
 */
export async function startTestDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const program = options.program ?? findProgram(process.cwd());
  const folder = await temporaryDirectory('gantry-daemon-');
  const at = (name: string) => join(folder.path, name);
  const socketPath = at('docker.sock');
  await writeFile(at('daemon.json'), JSON.stringify({ bridge: 'none', ...options.config }, null, 2));
  const output = await open(at('log'), 'a');
  const child = spawn(
    program,
    [
      `--config-file=${at('daemon.json')}`,
      `--host=unix://${socketPath}`,
      `--data-root=${at('data')}`,
      `--exec-root=${at('exec')}`,
      `--pidfile=${at('pid')}`,
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', output.fd, output.fd] },
  );
  const failure = new Promise<string>((tell) => child.once('error', (error) => tell(error.message)));
  await output.close();
  const log = () => readFile(at('log'), 'utf8');
  const api = (method: string, path: string, body?: unknown) => callApi(socketPath, method, path, body);
  const close = async () => {
    await end(child);
    await folder.close();
  };

  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000);
  for (;;) {
    const said = await Promise.race([failure, new Promise<undefined>((next) => setTimeout(next, 50, undefined))]);
    // The socket answers before the plugins have started; this line comes after.
    if ((await log()).includes('completed initialization') && (await serves(api))) break;
    const over = said ?? (hasEnded(child) ? 'it ended' : Date.now() > deadline ? 'it does not serve' : undefined);
    if (over === undefined) continue;
    const tail = (await log()).trim().split('\n').slice(-30).join('\n');
    await close();
    throw systemError(`the test daemon did not start: ${over}\n${tail}`);
  }
  return { host: `unix://${socketPath}`, socketPath, dataRoot: at('data'), pid: child.pid!, log, api, close };
}

function findProgram(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules/.bin/gantryd');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) throw notFound(`there is no node_modules/.bin/gantryd in ${from} or above`);
  }
}

async function serves(api: TestDaemon['api']): Promise<boolean> {
  try {
    return (await api('GET', '/_ping')).status === 200;
  } catch {
    return false;
  }
}

function callApi(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; body: any }> {
  return new Promise((done, fail) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const call = request({ socketPath, method, path, headers, agent: false, timeout: 60_000 }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = /json/.test(answer.headers['content-type'] ?? '');
        done({ status: answer.statusCode ?? 0, body: json && text !== '' ? JSON.parse(text) : text });
      });
    });
    call.on('timeout', () => call.destroy(new Error(`${method} ${path} was not answered within a minute`)));
    call.on('error', fail);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null || !child.pid;

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((tell) => child.once('exit', () => tell()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(timer);
}
