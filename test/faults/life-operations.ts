import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, startContainer } from '../support/containers';
import type { TestDaemon } from '../support/daemon';
import { eventually } from '../support/eventually';

/** The container an operation is tried on. */
export interface Subject {
  readonly name: string;
  /** Empty when the operation itself creates it. */
  readonly id: string;
}

/** What inspect says of its state. */
export interface ToldState {
  readonly Status: string;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
}

export interface Outcome {
  /** The client was told that it was done. */
  readonly acknowledged: boolean;
  /** Undefined: no such container. */
  readonly state: ToldState | undefined;
}

/** Something that moves a container, and what a daemon that was killed in the middle of it owes. */
export interface Operation {
  readonly name: string;
  prepare(daemon: TestDaemon): Promise<Subject>;
  /** True when it was acknowledged. */
  act(daemon: TestDaemon, subject: Subject): Promise<boolean>;
  /** Throws when the new daemon does not stand by what the old one said; false: not yet. */
  outcome(outcome: Outcome): boolean;
  /** The operation is repeated; what was half done must not be in its way. */
  again(daemon: TestDaemon, subject: Subject): Promise<void>;
}

let serial = 0;
const newName = () => `step${serial++}`;

/** A container with most of what a container can hold: a network, a port, volumes of both kinds, a tmpfs. */
const body = (name: string, script: string, host: object = {}) => ({
  Cmd: ['sh', '-c', script],
  ExposedPorts: { '80/tcp': {} },
  Volumes: { '/anonymous': {} },
  HostConfig: {
    Binds: [`${name}:/named`],
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    Tmpfs: { '/scratch': '' },
    ...host,
  },
});

const lasting = 'exec sleep 1000';
/** Ends with 7 when it gets the signal, once it has said that it listens for it. */
const untilTold = (signal: string) => `trap "exit 7" ${signal}; : > /named/ready; while :; do sleep 0.05; done`;

async function created(daemon: TestDaemon, script = lasting, host: object = {}): Promise<Subject> {
  const name = newName();
  return { name, id: await createContainer(daemon, body(name, script, host), name) };
}

async function running(daemon: TestDaemon, script = lasting, host: object = {}): Promise<Subject> {
  const name = newName();
  return { name, id: await startContainer(daemon, body(name, script, host), name) };
}

/** As `running`, for programs that end on a signal: before they listen for it, it would go by unheard. */
async function listening(daemon: TestDaemon, signal: string, host: object = {}): Promise<Subject> {
  const subject = await running(daemon, untilTold(signal), host);
  await eventually('it to listen', () => existsSync(inVolume(daemon, subject, 'ready')));
  return subject;
}

const inVolume = (daemon: TestDaemon, { name }: Subject, file: string) =>
  join(daemon.dataRoot, 'volumes', name, '_data', file);

function demand(holds: boolean, what: string): true {
  if (!holds) throw new Error(what);
  return true;
}

async function post(daemon: TestDaemon, path: string): Promise<boolean> {
  return (await daemon.api.post(path)).status < 300;
}

/** The same call again is done, or was done already. */
async function repeat(daemon: TestDaemon, path: string, done: readonly number[]): Promise<void> {
  const answer = await daemon.api.post(path);
  demand(done.includes(answer.status), `again ${path}: ${answer.status} ${answer.text}`);
}

const there = (state: ToldState | undefined): state is ToldState => demand(state !== undefined, 'it is lost');

export const operations: readonly Operation[] = [
  {
    name: 'create',
    prepare: async () => ({ name: newName(), id: '' }),
    act: async (daemon, { name }) => (await createContainer(daemon, body(name, lasting), name)) !== '',
    outcome: ({ acknowledged, state }) =>
      acknowledged ? there(state) : demand(state === undefined || state.Status === 'created', 'half created'),
    again: async (daemon, { name }) => {
      const answer = await daemon.api.post(`/containers/create?name=${name}`, {
        Image: 'busybox',
        ...body(name, 'true'),
      });
      demand([201, 409].includes(answer.status), `create again: ${answer.status} ${answer.text}`);
      await repeat(daemon, `/containers/${name}/start`, [204]);
    },
  },
  {
    name: 'start',
    prepare: (daemon) => created(daemon),
    act: (daemon, { name }) => post(daemon, `/containers/${name}/start`),
    outcome: ({ acknowledged, state }) =>
      there(state) && demand(!acknowledged || state.Running, `it does not run: ${state.Status} ${state.ExitCode}`),
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/start`, [204, 304]),
  },
  {
    name: 'exec',
    prepare: (daemon) => running(daemon),
    act: (daemon, { name }) => enter(daemon, name),
    outcome: ({ state }) => there(state) && demand(state.Running, `it ended: ${state.ExitCode}`),
    again: async (daemon, { name }) => void demand(await enter(daemon, name), 'nobody can enter it'),
  },
  {
    name: 'stop',
    prepare: (daemon) => listening(daemon, 'TERM'),
    act: (daemon, { name }) => post(daemon, `/containers/${name}/stop?t=60`),
    outcome: ({ acknowledged, state }) => {
      if (!there(state) || (state.Running && !acknowledged)) return true;
      return demand(state.Status === 'exited' && state.ExitCode === 7, `${state.Status} with ${state.ExitCode}`);
    },
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/stop?t=60`, [204, 304]),
  },
  {
    name: 'kill',
    prepare: (daemon) => running(daemon),
    act: (daemon, { name }) => post(daemon, `/containers/${name}/kill`),
    outcome: ({ acknowledged, state }) => {
      if (!there(state) || (state.Running && !acknowledged)) return true;
      return demand(state.Status === 'exited' && state.ExitCode === 137, `${state.Status} with ${state.ExitCode}`);
    },
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/kill`, [204, 409]),
  },
  {
    name: 'remove',
    prepare: (daemon) => created(daemon),
    act: remove,
    outcome: ({ acknowledged, state }) => demand(!acknowledged || state === undefined, 'it is back'),
    again: removeAgain,
  },
  {
    name: 'remove by force',
    prepare: (daemon) => running(daemon),
    act: remove,
    outcome: ({ acknowledged, state }) => demand(!acknowledged || state === undefined, 'it is back'),
    again: removeAgain,
  },
  {
    name: 'end of itself',
    prepare: (daemon) => running(daemon, 'until [ -e /named/end ]; do sleep 0.02; done; exit 7'),
    act: async (daemon, subject) => {
      // Not by the daemon, so that it ends whatever becomes of that.
      writeFileSync(inVolume(daemon, subject, 'end'), '');
      return (await daemon.api.post(`/containers/${subject.name}/wait`)).status === 200;
    },
    outcome: ({ state }) => {
      if (!there(state) || state.Running) return false;
      return demand(state.ExitCode === 7, `the exit code is lost: ${state.ExitCode}`);
    },
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/start`, [204]),
  },
  {
    name: 'end with --rm',
    prepare: (daemon) => running(daemon, lasting, { AutoRemove: true }),
    act: (daemon, { name }) => post(daemon, `/containers/${name}/kill`),
    outcome: ({ acknowledged, state }) => demand(!acknowledged || !state?.Running, 'it runs on'),
    again: async (daemon, { name }) => void (await daemon.api.post(`/containers/${name}/kill`)),
  },
  {
    name: 'end with --restart always',
    prepare: (daemon) => listening(daemon, 'USR1', { RestartPolicy: { Name: 'always' } }),
    act: async (daemon, { name }) => {
      if (!(await post(daemon, `/containers/${name}/kill?signal=USR1`))) return false;
      return eventually('its next run', async () => {
        if (!daemon.runs) return true;
        const { RestartCount, State } = (await daemon.api.get(`/containers/${name}/json`)).json();
        return RestartCount > 0 && State.Running;
      });
    },
    outcome: ({ state }) => there(state) && state.Running,
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/stop?t=0`, [204]),
  },
  {
    name: 'restart',
    prepare: (daemon) => running(daemon),
    act: (daemon, { name }) => post(daemon, `/containers/${name}/restart?t=0`),
    outcome: ({ acknowledged, state }) => there(state) && demand(!acknowledged || state.Running, 'it does not run'),
    again: (daemon, { name }) => repeat(daemon, `/containers/${name}/restart?t=0`, [204]),
  },
  {
    name: 'pause and unpause',
    prepare: (daemon) => running(daemon),
    act: async (daemon, { name }) =>
      (await post(daemon, `/containers/${name}/pause`)) && (await post(daemon, `/containers/${name}/unpause`)),
    outcome: ({ acknowledged, state }) =>
      there(state) && demand(state.Running && !(acknowledged && state.Paused), `${state.Status}`),
    again: async (daemon, { name }) => {
      await daemon.api.post(`/containers/${name}/unpause`);
      demand(await enter(daemon, name), 'nobody can enter it');
    },
  },
];

function remove(daemon: TestDaemon, { name }: Subject): Promise<boolean> {
  return daemon.api.delete(`/containers/${name}?force=1&v=1`).then(({ status }) => status === 204);
}

async function removeAgain(daemon: TestDaemon, { name }: Subject): Promise<void> {
  const { status, text } = await daemon.api.delete(`/containers/${name}?force=1&v=1`);
  demand([204, 404].includes(status), `remove again: ${status} ${text}`);
}

/** Runs a program in it, attached; true when it ended well. */
async function enter(daemon: TestDaemon, name: string): Promise<boolean> {
  const made = await daemon.api.post(`/containers/${name}/exec`, { Cmd: ['true'], AttachStdout: true });
  if (made.status !== 201) return false;
  const { Id } = made.json<{ Id: string }>();
  await daemon.api.post(`/exec/${Id}/start`, {});
  return (await daemon.api.get(`/exec/${Id}/json`)).json<{ ExitCode: number }>().ExitCode === 0;
}
