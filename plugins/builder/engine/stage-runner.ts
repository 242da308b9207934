import { createHash, randomBytes } from 'node:crypto';
import { MissingFile } from '../copy/select-files';
import type { Instruction } from '../dockerfile/instructions';
import { LocatedError, located } from '../dockerfile/source-position';
import type { Build } from './build';
import { StepFailed } from './build-request';
import { applyMetadata, isMetadata, nextWorkingDirectory } from './metadata';
import type { BuildOutput } from './output';
import { runStep } from './run-step';
import type { PlannedStage } from './stage-plan';
import { type StageState, variablesOf } from './stage-state';
import { transferStep } from './transfer-step';

/** What carrying out one instruction needs. */
export interface Step {
  readonly build: Build;
  readonly stage: PlannedStage;
  readonly state: StageState;
  readonly output: BuildOutput;
  readonly signal: AbortSignal;
}

/** A container's short id, as messages have it. */
export const shortId = (id: string) => id.replace(/^sha256:/, '').slice(0, 12);

/** Carries out one instruction. @throws StepFailed the command failed; else with the instruction's place */
export async function carryOut(instruction: Instruction, step: Step): Promise<void> {
  try {
    const { dialect } = step.build.request;
    if (isMetadata(instruction)) {
      const before = step.state.config.Healthcheck?.Test ?? [];
      if (instruction.kind === 'healthcheck' && before.length > 0 && before[0] !== 'NONE')
        step.output.text(`Note: overriding previous HEALTHCHECK: [${before.join(' ')}]\n`);
      const said = applyMetadata(instruction, step.state, step.build.dockerfile.escape, dialect);
      const isRecorded = dialect.recordsTriggers || instruction.kind !== 'onbuild';
      await metadataStep(dialect.metadata(said, step.state), isRecorded, step);
    } else if (instruction.kind === 'workdir') await workdirStep(instruction.path, step);
    else if (instruction.kind === 'run') await runStep(instruction, step);
    else await transferStep(instruction, step);
  } catch (error) {
    if (error instanceof StepFailed || step.signal.aborted) throw error;
    if (!(error instanceof MissingFile)) throw located(instruction.at, error);
    const { dialect } = step.build.request;
    throw new LocatedError(error.kind, dialect.missingFile(error.path, error.message), instruction.at, error);
  }
}

/** What a step is, for the cache: with the image it stands on, the same key means the same result. */
export function stepKey({ state, build }: Step, parts: readonly unknown[]): string {
  const base = [state.imageId ?? 'scratch', state.platform, build.createdAt?.getTime() ?? null, state.author];
  const { comment } = build.request.dialect;
  return createHash('sha256')
    .update(JSON.stringify([...base, ...parts, ...(comment === '' ? [] : [comment])]))
    .digest('hex');
}

/** Takes the result of an earlier step. @returns whether there was one */
export async function takeCached(key: string, createdBy: string, step: Step): Promise<boolean> {
  const { build, state, stage, output, signal } = step;
  const { name = '' } = stage.stage;
  if (build.request.noCacheStages.some((each) => each.toLowerCase() === name)) return false;
  const found = await build.lookUp(key, createdBy, state, signal);
  if (found === undefined) return false;
  output.cached();
  state.imageId = found;
  return true;
}

async function metadataStep(createdBy: string, isRecorded: boolean, step: Step): Promise<void> {
  const { build, state } = step;
  const key = stepKey(step, ['metadata', createdBy, state.config]);
  if (await takeCached(key, createdBy, step)) return;
  await showContainer(step, createdBy);
  const words = isRecorded ? createdBy : undefined;
  state.imageId = await build.commit({ state, createdBy: words, key, signal: step.signal });
}

async function workdirStep(path: string, step: Step): Promise<void> {
  const { build, state, signal } = step;
  const { files } = build.builder;
  const directory = nextWorkingDirectory(path, state, variablesOf(state), build.dockerfile.escape);
  state.config.WorkingDir = directory;
  const createdBy = build.request.dialect.workdir(directory, state);
  const key = stepKey(step, ['workdir', createdBy, state.config]);
  if (await takeCached(key, createdBy, step)) return;
  await showContainer(step, createdBy);
  await build.withRootFilesystem(state.imageId, async (id, root) => {
    await files.makeDirectory(root, directory);
    state.imageId = await build.commit({ state, createdBy, key, containerId: id, consume: true, signal });
  });
}

/**
 * The classic builder makes a container for every step, also where nothing is run. Here that is only what it says,
 * unless the client wants to keep the containers.
 */
async function showContainer({ build, state, output, signal }: Step, createdBy: string): Promise<void> {
  const { request } = build;
  if (!request.remove && state.imageId !== undefined) {
    const id = await build.createContainer(state.imageId, { Cmd: ['/bin/sh', '-c', createdBy] }, signal);
    output.text(` ---> Running in ${shortId(id)}\n`);
    await build.builder.steps.keep(id);
    return;
  }
  const id = randomBytes(6).toString('hex');
  output.text(` ---> Running in ${id}\n`);
  output.text(`Removing intermediate container ${id}\n`);
}
