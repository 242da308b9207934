import { EngineError, errorKind, stringifyJson, withDeadline } from '@gantry/sdk';
import { familiarWords } from '../oci/familiar-words';
import type { TtrpcClient } from '../ttrpc/client';
import { encode, type MessageName, type Timestamp } from '../ttrpc/messages';

/** What the shim says of a process. @see containerd, api/types/task/task.proto */
export const taskStatus = { unknown: 0, created: 1, running: 2, stopped: 3, paused: 4, pausing: 5 } as const;

export interface StateAnswer {
  readonly pid: number;
  readonly status: number;
  readonly terminal: boolean;
  readonly exitStatus: number;
  readonly exitedAt?: Timestamp | null;
}

export interface WaitAnswer {
  readonly exitStatus: number;
  readonly exitedAt?: Timestamp | null;
}

export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface CreateArguments {
  readonly id: string;
  readonly bundle: string;
  readonly terminal: boolean;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Directory of a checkpoint to go on from: the first process begins with `start`. */
  readonly checkpoint?: string;
  readonly options?: AnyMessage;
}

// Shims before 2.0 serve only the first, later ones only the second; the messages are the same.
const services = ['containerd.task.v2.Task', 'containerd.task.v3.Task'];

/** How long a call may take that only asks or frees; creating and starting take as long as the OCI runtime does. */
const QUICK_MS = 10_000;
const RUNTIME_MS = 120_000;

/** The shim's task service over one connection. `execId` is empty for the container's first process. */
export class TaskService {
  private constructor(
    readonly client: TtrpcClient,
    private readonly service: string,
    readonly shimPid: number,
  ) {}

  /** Finds out which version of the service the shim serves. */
  static async over(client: TtrpcClient): Promise<TaskService> {
    for (const service of services) {
      try {
        const { shimPid } = await withDeadline("the shim's first answer", QUICK_MS, () =>
          client.call<{ shimPid: number }>(service, 'Connect', ['ContainerRequest', { id: '' }], 'ConnectResponse'),
        );
        return new TaskService(client, service, shimPid);
      } catch (error) {
        if (errorKind(error) !== 'not-implemented' || service === services.at(-1)) throw error;
      }
    }
    throw new Error('unreachable');
  }

  async create(args: CreateArguments): Promise<number> {
    const answer = await this.call<{ pid: number }>('Create', 'CreateTaskRequest', args, 'PidResponse', RUNTIME_MS);
    return answer.pid;
  }

  async start(id: string, execId = ''): Promise<number> {
    const answer = await this.call<{ pid: number }>(
      'Start',
      'ProcessRequest',
      { id, execId },
      'PidResponse',
      RUNTIME_MS,
    );
    return answer.pid;
  }

  async exec(args: Omit<CreateArguments, 'bundle' | 'options'> & { execId: string; spec: AnyMessage }): Promise<void> {
    await this.call('Exec', 'ExecRequest', args, 'Empty');
  }

  /** Waits without a deadline: a process may run for years. */
  wait(id: string, execId = ''): Promise<WaitAnswer> {
    return this.client.call(this.service, 'Wait', ['ProcessRequest', { id, execId }], 'WaitResponse');
  }

  state(id: string, execId = ''): Promise<StateAnswer> {
    return this.call('State', 'ProcessRequest', { id, execId }, 'StateResponse');
  }

  async delete(id: string, execId = ''): Promise<void> {
    await this.call('Delete', 'ProcessRequest', { id, execId }, 'DeleteResponse');
  }

  async kill(id: string, execId: string, signal: number, all: boolean): Promise<void> {
    await this.call('Kill', 'KillRequest', { id, execId, signal, all }, 'Empty');
  }

  async pause(id: string): Promise<void> {
    await this.call('Pause', 'ContainerRequest', { id }, 'Empty');
  }

  async resume(id: string): Promise<void> {
    await this.call('Resume', 'ContainerRequest', { id }, 'Empty');
  }

  async resize(id: string, execId: string, width: number, height: number): Promise<void> {
    await this.call('ResizePty', 'ResizeRequest', { id, execId, width, height }, 'Empty');
  }

  async closeStdin(id: string, execId: string): Promise<void> {
    await this.call('CloseIO', 'CloseIoRequest', { id, execId, stdin: true }, 'Empty');
  }

  async update(id: string, resources: AnyMessage): Promise<void> {
    await this.call('Update', 'UpdateRequest', { id, resources }, 'Empty');
  }

  /** Writes and reads of memory take their time. */
  async checkpoint(id: string, path: string, exit: boolean): Promise<void> {
    const options = { typeUrl: 'containerd.runc.v1.CheckpointOptions', value: encode('CheckpointOptions', { exit }) };
    await this.call('Checkpoint', 'CheckpointTaskRequest', { id, path, options }, 'Empty', RUNTIME_MS);
  }

  private async call<T>(
    method: string,
    type: MessageName,
    request: object,
    response: MessageName,
    timeoutMs = QUICK_MS,
  ): Promise<T> {
    try {
      return await withDeadline(`the shim's ${method}`, timeoutMs, () =>
        this.client.call<T>(this.service, method, [type, request], response),
      );
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const message = familiarWords(error.message);
      throw message === error.message ? error : new EngineError(error.kind, message, { cause: error });
    }
  }
}

/** A specification as the shim takes it: JSON behind a type name. */
export function specAny(type: 'Process' | 'LinuxResources', value: object): AnyMessage {
  return {
    typeUrl: `types.containerd.io/opencontainers/runtime-spec/1/${type}`,
    value: Buffer.from(specJson(value)),
  };
}

/**
 * JSON for the OCI runtime. Limits that mean "unlimited" are 2^64 - 1 there, which a JavaScript number
 * rounds up out of range.
 */
export function specJson(value: object): string {
  return stringifyJson(value).replaceAll('18446744073709552000', '18446744073709551615');
}
