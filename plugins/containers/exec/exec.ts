import { randomBytes } from 'node:crypto';
import { conflict, type ExitStatus, errorMessage, invalidParameter, notFound, type OciProcess } from '@gantry/sdk';
import { readyProfile } from '../apparmor/container-profile';
import { variableName } from '../create/merge-config';
import { type Engine, publish } from '../engine';
import { streamEnd, waitWhileMoving } from '../io/stream-end';
import type { Container } from '../run/container';
import { noNewPrivileges, resolveContainerUser, resourceRlimits } from '../run/prepare-spec';
import { execError, startFailure } from '../run/start-error';
import { hasEnded } from '../run/stop-container';
import { capabilitySets, environment, ociRlimits } from '../spec/build-spec';
import { resolveCapabilities } from '../spec/capabilities';
import type { ExecConfig, ExecInstance } from './exec-instance';

/** How long the result of an ended exec can be asked for. */
const KEPT_MS = 5 * 60_000;

/**
 * @throws conflict           the container does not run, or is paused
 * @throws invalid-parameter  there is no command, or no such user in the container
 * @see Engine API, POST /containers/{id}/exec
 */
export async function createExec(reference: string, config: ExecConfig, engine: Engine): Promise<ExecInstance> {
  const container = engine.index.get(reference);
  assertRunning(container, reference);
  if (config.command.length === 0) throw invalidParameter('No exec command specified');
  if (config.user !== '') {
    await resolveContainerUser(container.record, await rootPathOf(container, engine), config.user);
    assertRunning(container, reference);
  }
  const exec: ExecInstance = {
    id: randomBytes(32).toString('hex'),
    container,
    config,
    status: 'created',
    process: undefined,
    pid: 0,
    exitCode: undefined,
    deliveredBytes: 0,
  };
  engine.execs.set(exec.id, exec);
  container.execs.set(exec.id, exec);
  container.touch();
  publish(engine, container, `exec_create: ${commandInEvents(config)}`, { execID: exec.id });
  return exec;
}

/** Program and arguments with a blank between them, also when there are none: filters compare the whole text. */
const commandInEvents = ({ command: [program = '', ...args] }: ExecConfig): string => `${program} ${args.join(' ')}`;

/** @throws not-found `No such exec instance: x` */
export function findExec(id: string, engine: Pick<Engine, 'execs'>): ExecInstance {
  const exec = engine.execs.get(id);
  if (exec === undefined) throw notFound(`No such exec instance: ${id}`);
  return exec;
}

/** An exec may be started once. @throws conflict, not-found */
export function assertExecStartable(exec: ExecInstance): void {
  if (exec.status === 'exited') throw conflict(`Error: Exec command ${exec.id} has already run`);
  if (exec.status !== 'created') throw conflict(`Error: Exec command ${exec.id} is already running`);
  assertRunning(exec.container);
}

/**
 * Starts the process. Its streams belong to the caller, who reads them to their end.
 *
 * @throws invalid-parameter  the program cannot be found or invoked; the exec's exit code says which
 */
export async function startExec(exec: ExecInstance, engine: Engine): Promise<void> {
  assertExecStartable(exec);
  exec.status = 'starting';
  const { container, config } = exec;
  try {
    const process = await describeProcess(exec, engine);
    exec.process = await container.freezeGate.enter(async () => {
      assertRunning(container);
      if (container.task === undefined) throw conflict(`container ${container.id} is not running`);
      publish(engine, container, `exec_start: ${commandInEvents(config)}`, { execID: exec.id });
      const { attachStdin: openStdin, terminal } = config;
      return container.task.exec({ id: exec.id, process, openStdin, terminal });
    });
  } catch (failure) {
    // When the container ended meanwhile that is the reason, whatever the runtime makes of it.
    const over = container.state.status === 'running' && (await hasEnded(container));
    const cause = over ? conflict(`container ${container.id} is not running`) : failure;
    const { error, exitCode } = startFailure(execError(cause));
    exec.exitCode = exitCode === 128 ? 126 : exitCode;
    forget(exec, engine);
    throw error;
  }
  exec.status = 'running';
  exec.pid = exec.process.pid;
  container.touch();
}

/** Waits for the end of the process and of its output, then records it. */
export async function finishExec(
  exec: ExecInstance,
  outputEnded: Promise<unknown>,
  engine: Engine,
): Promise<ExitStatus> {
  const exit = (await exec.process?.wait()) ?? { code: 137, exitedAt: engine.clock.now() };
  exec.exitCode = exit.code;
  await waitWhileMoving(outputEnded, () => exec.deliveredBytes);
  forget(exec, engine);
  publish(engine, exec.container, 'exec_die', { execID: exec.id, exitCode: String(exit.code) });
  return exit;
}

/** With a run of the container end the execs that were never started in it. */
export function forgetUnstarted(container: Container, engine: Pick<Engine, 'execs'>): void {
  for (const exec of container.execs.values()) {
    if (exec.status !== 'created') continue;
    engine.execs.delete(exec.id);
    container.execs.delete(exec.id);
  }
}

/** Reads output that nobody asked for, so that the process never blocks. */
export async function discardOutput(exec: ExecInstance): Promise<void> {
  const { stdout, stderr } = exec.process?.streams ?? {};
  stdout?.resume();
  stderr?.resume();
  await Promise.all([streamEnd(stdout), streamEnd(stderr)]);
}

function forget(exec: ExecInstance, engine: Engine): void {
  exec.status = 'exited';
  exec.process = undefined;
  exec.container.execs.delete(exec.id);
  exec.container.touch();
  setTimeout(() => engine.execs.delete(exec.id), KEPT_MS).unref();
}

async function describeProcess(exec: ExecInstance, engine: Engine): Promise<OciProcess> {
  const { record } = exec.container;
  const { config } = exec;
  const rootPath = await rootPathOf(exec.container, engine);
  const user = await resolveContainerUser(record, rootPath, config.user || record.config.User);
  const privileged = config.privileged || record.hostConfig.Privileged;
  const capabilities = resolveCapabilities(
    { add: record.hostConfig.CapAdd ?? [], drop: record.hostConfig.CapDrop ?? [], privileged },
    engine.host.knownCapabilities,
  );
  const own = new Set(config.env.map(variableName));
  const inherited = record.config.Env.filter((entry) => !own.has(variableName(entry)));
  // That of the container, also for a privileged exec.
  const apparmorProfile = await readyProfile(record, engine.host.appArmor);
  const [rows, columns] = config.consoleSize ?? [];
  return {
    terminal: config.terminal,
    ...(config.terminal && rows && columns ? { consoleSize: { height: rows, width: columns } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: [...user.additionalGids] },
    args: [...config.command],
    env: environment([...inherited, ...config.env], {
      hostname: record.config.Hostname,
      terminal: config.terminal,
    }),
    cwd: config.workingDir || record.config.WorkingDir || '/',
    capabilities: capabilitySets(capabilities, user.uid),
    noNewPrivileges: noNewPrivileges(record, engine),
    ...(apparmorProfile ? { apparmorProfile } : {}),
    rlimits: ociRlimits(resourceRlimits(record, engine)),
    oomScoreAdj: record.hostConfig.OomScoreAdj,
  };
}

/** Mounted already, as the container runs. */
async function rootPathOf({ id }: Container, engine: Engine): Promise<string> {
  return (await engine.images.openRootFilesystem(id)).mount();
}

/** @param calledAs how the client named it */
function assertRunning(container: Container, calledAs = container.id): void {
  const { id, state } = container;
  switch (state.status) {
    case 'running':
      return;
    case 'paused':
      throw conflict(`Container ${calledAs} is paused, unpause the container before exec`);
    case 'restarting':
      throw conflict(`Container ${id} is restarting, wait until the container is running`);
    default:
      throw conflict(`container ${id} is not running`);
  }
}

/** Runs a command to its end and gives its output, cut at `limitBytes`. Used by health checks. */
export async function runInContainer(
  container: Container,
  config: ExecConfig,
  options: { readonly limitBytes: number; readonly signal: AbortSignal },
  engine: Engine,
): Promise<{ exitCode: number; output: string }> {
  const exec = await createExec(container.id, config, engine);
  await startExec(exec, engine);
  const chunks: Buffer[] = [];
  let size = 0;
  const { process } = exec;
  for (const stream of [process?.streams.stdout, process?.streams.stderr])
    stream?.on('data', (chunk: Buffer) => {
      if (size < options.limitBytes) chunks.push(chunk);
      size += chunk.length;
    });
  const onAbort = () => {
    process?.kill(9).catch((error: unknown) => {
      engine.log.debug('killing a health check failed', { id: container.id, error: errorMessage(error) });
    });
  };
  options.signal.addEventListener('abort', onAbort, { once: true });
  // The start itself may have taken longer than there was.
  if (options.signal.aborted) onAbort();
  try {
    const exit = await finishExec(
      exec,
      Promise.all([streamEnd(process?.streams.stdout), streamEnd(process?.streams.stderr)]),
      engine,
    );
    return { exitCode: exit.code, output: Buffer.concat(chunks).toString('utf8').slice(0, options.limitBytes) };
  } finally {
    options.signal.removeEventListener('abort', onAbort);
  }
}
