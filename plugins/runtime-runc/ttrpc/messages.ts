import type { ExitStatus } from '@gantry/sdk';
import { type INamespace, Root, type Type } from 'protobufjs/light';

type FieldTypes = Record<string, readonly [id: number, type: string, rule?: 'repeated']>;

const message = (fields: FieldTypes) => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [id, type, rule]]) => [name, { id, type, ...(rule ? { rule } : {}) }]),
  ),
});

const process = { id: [1, 'string'], execId: [2, 'string'] } as const;
const stdio = (from: number) =>
  ({
    terminal: [from, 'bool'],
    stdin: [from + 1, 'string'],
    stdout: [from + 2, 'string'],
    stderr: [from + 3, 'string'],
  }) as const;

/**
 * The messages of containerd's shim protocol that this package speaks, with their field numbers.
 *
 * @see containerd, api/runtime/task/v2/shim.proto and v3 (same messages); ttrpc, PROTOCOL.md
 */
const schema = {
  Request: message({
    service: [1, 'string'],
    method: [2, 'string'],
    payload: [3, 'bytes'],
    timeoutNano: [4, 'int64'],
    metadata: [5, 'KeyValue', 'repeated'],
  }),
  KeyValue: message({ key: [1, 'string'], value: [2, 'string'] }),
  Response: message({ status: [1, 'Status'], payload: [2, 'bytes'] }),
  Status: message({ code: [1, 'int32'], message: [2, 'string'] }),
  Any: message({ typeUrl: [1, 'string'], value: [2, 'bytes'] }),
  Timestamp: message({ seconds: [1, 'int64'], nanos: [2, 'int32'] }),
  Empty: message({}),

  CreateTaskRequest: message({
    id: [1, 'string'],
    bundle: [2, 'string'],
    ...stdio(4),
    checkpoint: [8, 'string'],
    options: [10, 'Any'],
  }),
  PidResponse: message({ pid: [1, 'uint32'] }),
  ProcessRequest: message(process),
  ContainerRequest: message({ id: [1, 'string'] }),
  ExecRequest: message({ ...process, ...stdio(3), spec: [7, 'Any'] }),
  DeleteResponse: message({ pid: [1, 'uint32'], exitStatus: [2, 'uint32'], exitedAt: [3, 'Timestamp'] }),
  StateResponse: message({
    id: [1, 'string'],
    pid: [3, 'uint32'],
    status: [4, 'uint32'],
    terminal: [8, 'bool'],
    exitStatus: [9, 'uint32'],
    exitedAt: [10, 'Timestamp'],
  }),
  WaitResponse: message({ exitStatus: [1, 'uint32'], exitedAt: [2, 'Timestamp'] }),
  ResizeRequest: message({ ...process, width: [3, 'uint32'], height: [4, 'uint32'] }),
  KillRequest: message({ ...process, signal: [3, 'uint32'], all: [4, 'bool'] }),
  CloseIoRequest: message({ ...process, stdin: [3, 'bool'] }),
  CheckpointTaskRequest: message({ id: [1, 'string'], path: [2, 'string'], options: [3, 'Any'] }),
  CheckpointOptions: message({ exit: [1, 'bool'] }),
  UpdateRequest: message({ id: [1, 'string'], resources: [2, 'Any'] }),
  ConnectResponse: message({ shimPid: [1, 'uint32'], taskPid: [2, 'uint32'], version: [3, 'string'] }),
  ShutdownRequest: message({ id: [1, 'string'], now: [2, 'bool'] }),

  RuncOptions: message({
    shimCgroup: [3, 'string'],
    binaryName: [6, 'string'],
    root: [7, 'string'],
    systemdCgroup: [9, 'bool'],
  }),
  RuntimeOptions: message({ typeUrl: [1, 'string'], configPath: [2, 'string'], configBody: [3, 'bytes'] }),
} as const;

export type MessageName = keyof typeof schema;

const root = Root.fromJSON({ nested: schema as unknown as INamespace['nested'] });
const types = new Map<MessageName, Type>();

function typeOf(name: MessageName): Type {
  let type = types.get(name);
  if (type === undefined) {
    type = root.lookupType(name);
    types.set(name, type);
  }
  return type;
}

export function encode(name: MessageName, value: object): Uint8Array {
  return typeOf(name).encode(value).finish();
}

/** Decodes; a field that is not on the wire has its proto3 default. */
export function decode<T>(name: MessageName, bytes: Uint8Array): T {
  return typeOf(name).decode(bytes) as unknown as T;
}

export interface Timestamp {
  readonly seconds: number | { toNumber(): number };
  readonly nanos: number;
}

/** How a process ended, from an answer of the shim. An absent time, and Go's zero time, count as now. */
export function exitStatusOf(answer: { exitStatus: number; exitedAt?: Timestamp | null }): ExitStatus {
  const { exitedAt } = answer;
  const seconds = BigInt(exitedAt?.seconds.toString() ?? 0);
  if (!exitedAt || seconds <= 0n) return { code: answer.exitStatus, exitedAt: new Date() };
  const exitedAtNs = seconds * 1_000_000_000n + BigInt(exitedAt.nanos);
  return { code: answer.exitStatus, exitedAt: new Date(Number(exitedAtNs / 1_000_000n)), exitedAtNs };
}
