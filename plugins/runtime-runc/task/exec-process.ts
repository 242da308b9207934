import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecCreate, ExitStatus, RunningProcess } from '@gantry/sdk';
import { mkfifo } from '@gantry/sdk/linux/fifo';
import { openForReading } from '../shim/shim';
import { specAny, type TaskService } from '../shim/task-service';
import { outputStream } from './output-stream';
import { ProcessHandle } from './process-handle';
import { openStdin } from './stdin-fifo';

/** Starts a further process in a container. On failure nothing of it is left. */
export async function startExec(
  request: ExecCreate,
  containerId: string,
  bundle: string,
  service: TaskService,
  running: Set<ProcessHandle>,
): Promise<RunningProcess> {
  const path = (stream: string) => join(bundle, `${request.id}-${stream}`);
  const paths = {
    stdin: request.openStdin ? path('stdin') : '',
    stdout: path('stdout'),
    stderr: request.terminal ? '' : path('stderr'),
  };
  const made = Object.values(paths).filter((name) => name !== '');
  const removeFifos = () => Promise.all(made.map((name) => rm(name, { force: true })));
  const forget = () => service.delete(containerId, request.id).catch(() => undefined);
  for (const name of made) mkfifo(name);
  const stdout = outputStream(await openForReading(paths.stdout));
  const stderr = paths.stderr === '' ? undefined : outputStream(await openForReading(paths.stderr));
  try {
    const spec = specAny('Process', { ...request.process, terminal: request.terminal });
    await service.exec({ id: containerId, execId: request.id, terminal: request.terminal, ...paths, spec });
    const pid = await service.start(containerId, request.id);
    const closeInput = () => service.closeStdin(containerId, request.id);
    const stdin = paths.stdin === '' ? undefined : await openStdin(paths.stdin, closeInput, true);
    const handle = new ProcessHandle(service, containerId, request.id, request.terminal, { stdin, stdout, stderr });
    running.add(handle);
    handle.follow(pid);
    void handle.wait().then(async () => {
      await forget();
      running.delete(handle);
    });
    return new ExecProcess(handle);
  } catch (error) {
    stdout.destroy();
    stderr?.destroy();
    await forget();
    throw error;
  } finally {
    // Both sides have them open.
    await removeFifos();
  }
}

class ExecProcess implements RunningProcess {
  constructor(private readonly handle: ProcessHandle) {}

  get pid() {
    return this.handle.pid;
  }

  get streams() {
    return this.handle.streams;
  }

  async kill(signal: number): Promise<void> {
    this.handle.signal(signal);
  }

  resize(columns: number, rows: number): Promise<void> {
    return this.handle.resize(columns, rows);
  }

  wait(): Promise<ExitStatus> {
    return this.handle.wait();
  }
}
