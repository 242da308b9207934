import { rm } from 'node:fs/promises';
import { EngineError, errorMessage } from '@gantry/sdk';
import type { ContextTrees } from '../context/context-trees';
import type { Instruction } from '../dockerfile/instructions';
import { parseDockerfile, parseTriggers } from '../dockerfile/parse-dockerfile';
import { LocatedError } from '../dockerfile/source-position';
import { Build } from './build';
import { BuildArgs } from './build-args';
import type { BuildRequest } from './build-request';
import type { Builder } from './builder';
import { unresolved } from './dialect';
import type { BuildOutput } from './output';
import { hostPlatform, parsePlatform, platformArgs } from './platform';
import type { BuildProgress, StageProgress } from './progress';
import { type BuildPlan, type PlannedStage, planBuild } from './stage-plan';
import { carryOut, type Step } from './stage-runner';
import { initialState, type StageState } from './stage-state';
import { imageOfTree } from './tree-image';

/** What a build begins with. */
export interface BuildInput {
  /** Text of the Dockerfile. */
  readonly dockerfile: string;
  /** As messages name it. */
  readonly dockerfileName: string;
  readonly trees: ContextTrees;
  /** What is to be there before the first step, once the base images are. */
  readonly load?: (plan: BuildPlan) => Promise<void>;
}

/** A build that is known to make sense: its Dockerfile is read. */
export interface PreparedBuild {
  /**
   * Carries it out, and gives the image its names.
   *
   * @returns the image's id
   * @throws StepFailed, or what kept a step from being carried out
   */
  run(progress: BuildProgress, signal: AbortSignal): Promise<string>;
  /** Removes what it kept on disk; to be called in any case. */
  close(): Promise<void>;
}

/**
 * Takes in the context and reads the Dockerfile: what can be wrong before the first step is found here.
 *
 * @param open takes in the context; what it writes into the folder stays until the build is closed
 * @throws invalid-parameter, system  nothing is left behind then
 */
export async function prepareBuild(
  request: BuildRequest,
  builder: Builder,
  open: (folder: string) => Promise<BuildInput>,
): Promise<PreparedBuild> {
  const folder = await builder.scratch.folder();
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    const platform = request.platform === '' ? hostPlatform() : parsePlatform(request.platform);
    const input = await open(folder);
    const dockerfile = parseDockerfile(input.dockerfile, input.dockerfileName);
    const args = new BuildArgs(request.buildArgs, platformArgs(platform));
    args.declareGlobals(dockerfile);
    const labels = request.dialect.labelsAreSteps ? request.labels : {};
    const plan = planBuild(dockerfile, args, request.target, labels, request.dialect, (name) =>
      input.trees.named(name),
    );
    const stages = new Stages(plan, args, platform, input.load);
    return {
      run(progress, stop) {
        const stageImage = (name: string, before: number) => stages.named(name, before);
        return stages.run(new Build(builder, request, dockerfile, input.trees, folder, progress, stageImage), stop);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The stages of one build, each begun as soon as those it needs are done. */
class Stages {
  private readonly results = new Map<number, Promise<StageState>>();
  private failed: number | undefined;

  constructor(
    private readonly plan: BuildPlan,
    private readonly args: BuildArgs,
    private readonly platform: string,
    private readonly load: BuildInput['load'],
  ) {}

  /** An earlier stage's result, by name or number; undefined when no stage is called so. */
  named(name: string, before: number): Promise<StageState> | undefined {
    const index = this.plan.stageNamed(name, before);
    return index === undefined ? undefined : this.results.get(index);
  }

  async run(build: Build, signal: AbortSignal): Promise<string> {
    const { stages, target } = this.plan;
    const { progress, request, builder } = build;
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    try {
      progress.begin(build.dockerfile, this.plan);
      if (request.dialect.resolvesBasesFirst) await this.resolveBases(build, signal);
      await this.load?.(this.plan);
      for (const [turn, stage] of stages.entries()) {
        const work = this.runStage(build, stage, progress.stage(turn), both);
        work.catch((error: unknown) => {
          if (this.failed === undefined && !signal.aborted) {
            this.failed = turn;
            progress.fail(turn);
          }
          stop.abort(error);
        });
        this.results.set(stage.index, work);
      }
      const settled = await Promise.allSettled(this.results.values());
      if (this.failed !== undefined) throw (settled[this.failed] as PromiseRejectedResult).reason;
      signal.throwIfAborted();
      const state = await this.results.get(target)!;
      const imageId = request.dialect.labelsAreSteps ? state.imageId : await build.finishImage(state, signal);
      if (imageId === undefined) throw new Error('No image was generated. Is your Dockerfile empty?');
      const made = request.squash ? await build.squash(state, state.baseId, signal) : imageId;
      progress.made(made, this.args.unused());
      for (const tag of request.tags) progress.tagged(await builder.images.tag(made, tag));
      return made;
    } finally {
      await build.finish();
    }
  }

  private async resolveBases(build: Build, signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.plan.stages.map(async ({ stage, base, platform = this.platform }) => {
        if (base.kind !== 'image') return;
        const { reference } = base;
        try {
          await build.base(reference, platform, undefined, signal);
        } catch (error) {
          signal.throwIfAborted();
          const kind = error instanceof EngineError ? error.kind : 'system';
          throw new LocatedError(kind, unresolved(reference, errorMessage(error)), stage.at, error);
        }
      }),
    );
  }

  private async runStage(
    build: Build,
    stage: PlannedStage,
    progress: StageProgress,
    signal: AbortSignal,
  ): Promise<StageState> {
    // Waited for here and not where they are used, so that a stage's output has no gaps.
    for (const index of stage.needs) await this.results.get(index);
    signal.throwIfAborted();
    const platform = stage.platform ?? this.platform;
    const output = progress.from();
    const state = await reporting(progress, () => this.begin(build, stage, platform, output, signal));
    const step = { build, stage, state, signal };
    const triggers = state.config.OnBuild ?? [];
    if (triggers.length > 0) {
      progress.triggers(triggers.length);
      state.config.OnBuild = null;
      const base = stage.base.kind === 'image' ? stage.base.reference : `stage ${stage.stage.base}`;
      for (const instruction of parseTriggers(triggers, base)) {
        await this.runStep(instruction, step, progress, true);
        progress.done(state.imageId);
      }
    }
    progress.done(state.imageId);
    for (const instruction of stage.instructions) {
      signal.throwIfAborted();
      await this.runStep(instruction, step, progress, false);
      progress.done(state.imageId);
    }
    progress.end(state.imageId);
    return state;
  }

  private runStep(
    instruction: Instruction,
    step: Omit<Step, 'output'>,
    progress: StageProgress,
    isTrigger: boolean,
  ): Promise<void> {
    return reporting(progress, () => carryOut(instruction, { ...step, output: progress.step(instruction, isTrigger) }));
  }

  private async begin(
    build: Build,
    { base }: PlannedStage,
    platform: string,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<StageState> {
    const args = this.args.stage();
    if (base.kind === 'tree') {
      const imageId = await imageOfTree(build, await base.tree(), platform, signal);
      return { ...initialState(undefined, platform, args, build.request.dialect), imageId, baseId: imageId };
    }
    if (base.kind === 'scratch') return initialState(undefined, platform, args, build.request.dialect);
    if (base.kind === 'image')
      return initialState(
        await build.base(base.reference, platform, output, signal),
        platform,
        args,
        build.request.dialect,
      );
    const earlier = await this.results.get(base.index)!;
    return { ...earlier, baseId: earlier.imageId, config: { ...earlier.config }, args, commandSet: false };
  }
}

async function reporting<T>(progress: StageProgress, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    progress.failed(error);
    throw error;
  }
}
