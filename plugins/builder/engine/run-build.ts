import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { ProgressMessage } from '@gantry/sdk';
import { openContext } from '../context/open-context';
import { parseDockerfile, parseTriggers } from '../dockerfile/parse-dockerfile';
import { Build } from './build';
import { BuildArgs } from './build-args';
import type { BuildRequest } from './build-request';
import type { Builder } from './builder';
import { type BuildOutput, OrderedOutput, outputTo } from './output';
import { hostPlatform, parsePlatform, platformArgs } from './platform';
import { type BuildPlan, type PlannedStage, planBuild } from './stage-plan';
import { carryOut, shortId } from './stage-runner';
import { initialState, type StageState } from './stage-state';

/** A build that is known to make sense: its context is here, its Dockerfile is read. */
export interface PreparedBuild {
  /**
   * Carries it out, and gives the image its names.
   *
   * @returns the image's id
   * @throws StepFailed, or what kept a step from being carried out
   */
  run(send: (message: ProgressMessage) => void, signal: AbortSignal): Promise<string>;
  /** Removes what it kept on disk; to be called in any case. */
  close(): Promise<void>;
}

/**
 * Takes in the context and reads the Dockerfile: what can be wrong before the first step is found here.
 *
 * @throws invalid-parameter, system  nothing is left behind then
 */
export async function prepareBuild(
  request: BuildRequest,
  body: Readable,
  builder: Builder,
  signal: AbortSignal,
): Promise<PreparedBuild> {
  const folder = await builder.scratch.folder();
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
    const context = await openContext({ ...request, body }, folder, builder.files, signal);
    const dockerfile = parseDockerfile(context.dockerfile, context.dockerfileName);
    const args = new BuildArgs(request.buildArgs, platformArgs(platform));
    args.declareGlobals(dockerfile);
    const plan = planBuild(dockerfile, args, request.target, request.labels);
    const stages = new Stages(plan, args, platform);
    const build = new Build(builder, request, dockerfile, context.tree, folder, (name, before) =>
      stages.named(name, before),
    );
    return { run: (send, stop) => stages.run(build, send, stop), close };
  } catch (error) {
    await close();
    throw error;
  }
}

const warningText = (warnings: readonly string[]) =>
  [...warnings, 'Empty continuation lines will become errors in a future release.']
    .map((warning) => `[WARNING]: ${warning}\n`)
    .join('');

/** The stages of one build, each begun as soon as those it needs are done. */
class Stages {
  private readonly results = new Map<number, Promise<StageState>>();
  private failed: number | undefined;

  constructor(
    private readonly plan: BuildPlan,
    private readonly args: BuildArgs,
    private readonly platform: string,
  ) {}

  /** An earlier stage's result, by name or number; undefined when no stage is called so. */
  named(name: string, before: number): Promise<StageState> | undefined {
    const index = this.plan.stageNamed(name, before);
    return index === undefined ? undefined : this.results.get(index);
  }

  async run(build: Build, send: (message: ProgressMessage) => void, signal: AbortSignal): Promise<string> {
    const { stages, target } = this.plan;
    const { globalArgs } = build.dockerfile;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const output = new OrderedOutput(send, stages.length);
    const total = globalArgs.length + stages.reduce((sum, { instructions }) => sum + 1 + instructions.length, 0);
    let number = 1;
    const first = outputTo(send);
    if (build.dockerfile.warnings.length > 0) first.errorText(warningText(build.dockerfile.warnings));
    for (const { at } of globalArgs) first.text(`Step ${number++}/${total} : ${at.text}\n`);
    try {
      for (const [turn, stage] of stages.entries()) {
        const numbering = { first: number, total };
        number += 1 + stage.instructions.length;
        const work = this.runStage(build, stage, output.at(turn), numbering, both).then((state) => {
          if (build.request.quiet || state.imageId !== undefined)
            output.at(turn).message({ aux: { ID: state.imageId } });
          output.end(turn);
          return state;
        });
        work.catch((error: unknown) => {
          if (this.failed === undefined && !signal.aborted) {
            this.failed = turn;
            output.fail(turn);
          }
          stop.abort(error);
        });
        this.results.set(stage.index, work);
      }
      const settled = await Promise.allSettled(this.results.values());
      if (this.failed !== undefined) throw (settled[this.failed] as PromiseRejectedResult).reason;
      signal.throwIfAborted();
      const state = await this.results.get(target)!;
      const { imageId } = state;
      const last = outputTo(send);
      const unused = this.args.unused();
      if (unused.length > 0) last.text(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`);
      if (imageId === undefined) throw new Error('No image was generated. Is your Dockerfile empty?');
      const made = build.request.squash ? await build.squash(state, state.baseId, signal) : imageId;
      last.text(`Successfully built ${shortId(made)}\n`);
      for (const tag of build.request.tags)
        last.text(`Successfully tagged ${await build.builder.images.tag(made, tag)}\n`);
      return made;
    } finally {
      await build.finish();
    }
  }

  private async runStage(
    build: Build,
    stage: PlannedStage,
    output: BuildOutput,
    numbering: { readonly first: number; readonly total: number },
    signal: AbortSignal,
  ): Promise<StageState> {
    const { total } = numbering;
    let number = numbering.first;
    const say = (text: string) => output.text(`Step ${number++}/${total} : ${text}\n`);
    // Waited for here and not where they are used, so that a stage's output has no gaps.
    for (const index of stage.needs) await this.results.get(index);
    signal.throwIfAborted();
    say(stage.stage.at.text);
    const platform = stage.platform ?? this.platform;
    const state = await this.begin(build, stage, platform, output, signal);
    const step = { build, stage, state, output, signal };
    const triggers = state.config.OnBuild ?? [];
    if (triggers.length > 0) {
      output.text(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`);
      state.config.OnBuild = null;
      const base = stage.base.kind === 'image' ? stage.base.reference : `stage ${stage.stage.base}`;
      for (const instruction of parseTriggers(triggers, base)) await carryOut(instruction, step);
    }
    output.text(` ---> ${shortId(state.imageId ?? '')}\n`);
    for (const instruction of stage.instructions) {
      signal.throwIfAborted();
      say(instruction.at.text);
      await carryOut(instruction, step);
      output.text(` ---> ${shortId(state.imageId ?? '')}\n`);
    }
    return state;
  }

  private async begin(
    build: Build,
    { base }: PlannedStage,
    platform: string,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<StageState> {
    const args = this.args.stage();
    if (base.kind === 'scratch') return initialState(undefined, platform, args);
    if (base.kind === 'image')
      return initialState(await build.base(base.reference, platform, output, signal), platform, args);
    const earlier = await this.results.get(base.index)!;
    return { ...earlier, baseId: earlier.imageId, config: { ...earlier.config }, args, commandSet: false };
  }
}
