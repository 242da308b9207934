import type { Dockerfile, Instruction } from '../dockerfile/instructions';
import type { BuildOutput } from './output';
import type { BuildPlan } from './stage-plan';

/** What a client is told of a build under way. */
export interface BuildProgress {
  /** Before the first step. */
  begin(dockerfile: Dockerfile, plan: BuildPlan): void;
  /** @param turn of the stage in the plan */
  stage(turn: number): StageProgress;
  /** Looks for a base image. @param output of the step that wants it; undefined = none has begun */
  base(
    reference: string,
    output: BuildOutput | undefined,
  ): { readonly output: BuildOutput; end(error?: unknown): void };
  /** A stage failed: what it said counts, and nothing of those between. */
  fail(turn: number): void;
  /** The image is there. @param unused build arguments nobody asked for */
  made(imageId: string, unused: readonly string[]): void;
  tagged(reference: string): void;
}

/** One stage, its steps one after the other. */
export interface StageProgress {
  /** Its FROM. */
  from(): BuildOutput;
  /** The base image leaves something to do. */
  triggers(count: number): void;
  step(instruction: Instruction, isTrigger: boolean): BuildOutput;
  /** The step that began last is done. */
  done(imageId: string | undefined): void;
  failed(error: unknown): void;
  end(imageId: string | undefined): void;
}
