import { spawn } from 'node:child_process';
import { close as closeFd, constants, open as openFd } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, unavailable } from '@gantry/sdk';
import { mkfifo } from '@gantry/sdk/linux/fifo';
import { Retention } from '../task/retention';
import { TtrpcClient } from '../ttrpc/client';
import { withShortSocketPath } from './socket-path';
import { TaskService } from './task-service';

const open = promisify(openFd);
const close = promisify(closeFd);

/** Names inside a shim's directory, which becomes the container's bundle. */
export const bundleFile = {
  socket: 's',
  log: 'log',
  stdin: 'stdin',
  stdout: 'stdout',
  stderr: 'stderr',
  work: 'work',
} as const;

/** The namespace the shim writes into its own state; one value, as every daemon has its own directories. */
export const NAMESPACE = 'gantry';

/** As containerd under its unit file: the supervisor must be the last to be sacrificed. */
const OOM_SCORE_ADJ = -998;
const READY_MS = 10_000;

/** A shim process that answers, with no container yet or with its one. */
export interface Shim {
  readonly pid: number;
  readonly service: TaskService;
  /** Non-blocking read ends of the output FIFOs. The shim holds the same, so that output outlives this process. */
  readonly outputFds: { readonly stdout: number; readonly stderr: number };
}

/**
 * Starts a shim in `directory`, which must not exist, and waits until it answers.
 * Its directory may be renamed afterwards. On failure nothing is left.
 */
export async function startShim(binary: string, directory: string): Promise<Shim> {
  await mkdir(directory, { mode: 0o711 });
  const fds: number[] = [];
  let pid: number | undefined;
  try {
    for (const name of [bundleFile.stdout, bundleFile.stderr]) {
      mkfifo(join(directory, name));
      Retention.prepare(join(directory, name));
      fds.push(await openForReading(join(directory, name)));
    }
    // The shim insists on a file of this name; containerd puts a FIFO there and reads it.
    await writeFile(join(directory, bundleFile.log), '', { mode: 0o600 });
    const child = spawn(
      binary,
      ['-namespace', NAMESPACE, '-id', 'pool', '-address', '', '-socket', bundleFile.socket],
      {
        cwd: directory,
        detached: true,
        stdio: ['ignore', 'ignore', 'ignore', ...fds],
        env: {
          PATH: process.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          // An empty address: events are dropped at once. A path that does not exist would block the shim.
          TTRPC_ADDRESS: '',
          GOMAXPROCS: '2',
        },
      },
    );
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(unavailable(`${binary} ended at once (${signal ?? `exit ${code}`})`)),
      );
    });
    failed.catch(() => undefined);
    child.unref();
    pid = child.pid;
    const client = await Promise.race([connectWhenReady(join(directory, bundleFile.socket)), failed]);
    const service = await Promise.race([TaskService.over(client), failed]);
    if (pid !== undefined) await protectFromOomKiller(pid);
    return { pid: service.shimPid, service, outputFds: { stdout: fds[0]!, stderr: fds[1]! } };
  } catch (error) {
    if (pid !== undefined) killShim(pid);
    await Promise.all(fds.map((fd) => close(fd)));
    await removeShimDirectory(directory);
    throw error;
  }
}

/** Connects to a shim that runs. @throws ENOENT or ECONNREFUSED when it does not */
export async function connectShim(directory: string): Promise<TaskService> {
  const client = await withShortSocketPath(join(directory, bundleFile.socket), (path) =>
    TtrpcClient.connect(path, NAMESPACE),
  );
  try {
    return await TaskService.over(client);
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Ends a shim that has nothing left to look after. Its files are the caller's. */
export function killShim(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

/** Ends a shim without a container and forgets its directory. */
export async function discardShim(shim: Shim, directory: string): Promise<void> {
  killShim(shim.pid);
  shim.service.client.close();
  await Promise.all([close(shim.outputFds.stdout), close(shim.outputFds.stderr)]);
  await removeShimDirectory(directory);
}

/** Removes the files of a shim that was told to end. Until it has, it may still add some: hence the retries. */
export function removeShimDirectory(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
}

/** Opens the read end of a FIFO without waiting for a writer. */
export function openForReading(path: string): Promise<number> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/**
 * Opens the read end of a FIFO whose writers may all be gone. The kernel reports the end only to readers that
 * have seen a writer, so they are shown one.
 */
export async function reopenForReading(path: string): Promise<number> {
  const fd = await openForReading(path);
  await close(await open(path, constants.O_WRONLY | constants.O_NONBLOCK));
  return fd;
}

async function connectWhenReady(path: string): Promise<TtrpcClient> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      return await withShortSocketPath(path, (short) => TtrpcClient.connect(short, NAMESPACE));
    } catch (error) {
      if (Date.now() > deadline) throw unavailable(`the shim did not open ${path} within ${READY_MS} ms`, error);
    }
    await systemClock.sleep(1);
  }
}

async function protectFromOomKiller(pid: number): Promise<void> {
  try {
    await writeFile(`/proc/${pid}/oom_score_adj`, String(OOM_SCORE_ADJ));
  } catch {
    // Without CAP_SYS_RESOURCE the inherited score stays.
  }
}
