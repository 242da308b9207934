import { StringDecoder } from 'node:string_decoder';
import { errorMessage, invalidParameter } from '@gantry/sdk';
import { heredocText } from '../dockerfile/heredoc';
import type { InstructionOf } from '../dockerfile/instructions';
import type { SourcePosition } from '../dockerfile/source-position';
import { StepFailed } from './build-request';
import { type PreparedMounts, prepareMounts, type Script } from './run-mounts';
import { type Step, shortId, stepKey, takeCached } from './stage-runner';
import { type StageState, shellOf } from './stage-state';

type Run = InstructionOf<'run'>;

/**
 * Runs a command in a container made from the stage so far, and keeps what it wrote.
 *
 * @throws StepFailed  it ended with another status than 0
 */
export async function runStep(instruction: Run, step: Step): Promise<void> {
  const { build, state, signal } = step;
  const { allowInsecure, allowHostNetwork } = build.builder.settings.builder;
  if (instruction.security === 'insecure' && !allowInsecure)
    throw invalidParameter(
      'granting entitlement security.insecure is not allowed by build daemon configuration: set builder.entitlements in daemon.json',
    );
  if (instruction.network === 'host' && !allowHostNetwork)
    throw invalidParameter(
      'granting entitlement network.host is not allowed by build daemon configuration: set builder.entitlements in daemon.json',
    );
  const { words: command, script } = commandOf(instruction, state);
  const args = state.args.forRun(state.config.Env ?? []);
  const recorded = args.recorded.length === 0 ? [] : [`|${args.recorded.length}`, ...args.recorded];
  const ran = [...recorded, ...command];
  const createdBy = build.request.dialect.run(ran.join(' '));
  const mounts = await prepareMounts(instruction.mounts, script, step);
  try {
    const key = stepKey(step, ['run', command, args.recorded, mounts.key, instruction.network, instruction.security]);
    if (await takeCached(key, createdBy, step)) return;
    await mounts.open();
    // A command needs files to run from; the stage has none yet.
    state.imageId ??= await build.commit({ state, createdBy: '', key: stepKey(step, ['empty', state.config]), signal });
    await runAndCommit({ command, recorded: ran, createdBy, key, environment: args.all }, mounts, instruction, step);
  } finally {
    await mounts.close();
  }
}

interface Command {
  readonly command: readonly string[];
  /** The same, after the build arguments it could see. */
  readonly recorded: readonly string[];
  readonly createdBy: string;
  readonly key: string;
  readonly environment: readonly string[];
}

async function runAndCommit(
  { command, recorded, createdBy, key, environment }: Command,
  mounts: PreparedMounts,
  instruction: Run,
  step: Step,
): Promise<void> {
  const { build, state, output, signal } = step;
  const { request } = build;
  const network = instruction.network === 'default' ? {} : { NetworkMode: instruction.network };
  const id = await build.createContainer(
    state.imageId!,
    {
      ...state.config,
      Cmd: command,
      Entrypoint: [''],
      Env: [...(state.config.Env ?? []), ...environment, ...mounts.environment],
      Healthcheck: { Test: ['NONE'] },
      ArgsEscaped: true,
    },
    signal,
    { ...network, ...(instruction.security === 'insecure' ? { Privileged: true } : {}), ...mounts.hostConfig },
  );
  output.text(` ---> Running in ${shortId(id)}\n`);
  let succeeded = false;
  try {
    const removeStubs = await mounts.stubs(id);
    await runContainer(id, command, instruction.at, step);
    await removeStubs();
    const consume = request.remove;
    const made = await build.commit({ state, createdBy, key, containerId: id, consume, command: recorded, signal });
    state.imageId = made;
    succeeded = true;
  } finally {
    const { steps } = build.builder;
    if (signal.aborted) await steps.remove(id);
    else if (request.forceRemove || (request.remove && succeeded)) {
      build.removeLater(id);
      output.text(`Removing intermediate container ${shortId(id)}\n`);
    } else await steps.keep(id);
  }
}

async function runContainer(
  id: string,
  command: readonly string[],
  at: SourcePosition,
  { build, output, signal }: Step,
): Promise<void> {
  const { containers } = build.builder;
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  const attached = containers.attach(
    id,
    (source, chunk) => {
      const text = decoders[source].write(chunk);
      if (text === '') return;
      output.log(source, text);
    },
    signal,
  );
  try {
    await containers.start(id, signal);
  } catch (error) {
    const { startFailed } = build.request.dialect;
    const reason = startFailed(errorMessage(error));
    if (reason === undefined || signal.aborted) throw error;
    output.log('stderr', `${reason}\n`);
    throw new StepFailed(build.request.dialect.commandFailed(command.join(' '), 1, undefined), 1, at);
  }
  await attached;
  const result = await containers.wait(id, signal);
  signal.throwIfAborted();
  const code = result?.exitCode ?? 0;
  if (code === 0) return;
  throw new StepFailed(build.request.dialect.commandFailed(command.join(' '), code, result?.error), code, at);
}

/** The words that are run. A here-document alone is a script of its own; after a command it is the shell's to read. */
function commandOf({ command, heredocs }: Run, state: StageState): { words: readonly string[]; script?: Script } {
  if (command.form === 'exec') {
    if (command.words.length === 0) throw invalidParameter('RUN requires at least one argument');
    return { words: command.words };
  }
  const [line = ''] = command.words;
  if (line === '') throw invalidParameter('RUN requires at least one argument');
  const shell = shellOf(state.config);
  const [first] = heredocs;
  if (first === undefined) return { words: [...shell, line] };
  if (heredocs.length === 1 && /^<<-?\s*(['"]?)[^\s'"<>|&;]+\1$/.test(line)) {
    const script = heredocText(first);
    // Its first line names what is to run it.
    if (!first.content.startsWith('#!')) return { words: [...shell, script] };
    const path = `/dev/pipes/${first.name}`;
    return { words: [...shell, path], script: { path, content: script } };
  }
  const bodies = heredocs.map(({ content, name }) => `${content}${name}`);
  return { words: [...shell, [line, ...bodies].join('\n')] };
}
