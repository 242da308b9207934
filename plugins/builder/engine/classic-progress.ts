import type { ProgressMessage } from '@gantry/sdk';
import type { Dockerfile, Instruction } from '../dockerfile/instructions';
import { type BuildOutput, OrderedOutput, outputTo } from './output';
import type { BuildProgress, StageProgress } from './progress';
import type { BuildPlan } from './stage-plan';
import { shortId } from './stage-runner';

const warningText = (warnings: readonly string[]) =>
  [...warnings, 'Empty continuation lines will become errors in a future release.']
    .map((warning) => `[WARNING]: ${warning}\n`)
    .join('');

/** The words of dockerd's classic builder, one stage after the other. */
export class ClassicProgress implements BuildProgress {
  private readonly first: BuildOutput;
  private ordered: OrderedOutput | undefined;
  private stages: readonly StageProgress[] = [];

  /** @param quiet only the ids of stages are wanted */
  constructor(
    private readonly send: (message: ProgressMessage) => void,
    private readonly quiet: boolean,
  ) {
    this.first = outputTo(send);
  }

  begin({ globalArgs, warnings }: Dockerfile, { stages }: BuildPlan): void {
    const total = globalArgs.length + stages.reduce((sum, { instructions }) => sum + 1 + instructions.length, 0);
    let number = 1;
    if (warnings.length > 0) this.first.errorText(warningText(warnings));
    for (const { at } of globalArgs) this.first.text(`Step ${number++}/${total} : ${at.text}\n`);
    this.ordered = new OrderedOutput(this.send, stages.length);
    this.stages = stages.map(({ stage, instructions }, turn) => {
      const numbering = { next: number, total };
      number += 1 + instructions.length;
      return this.openStage(turn, stage.at.text, numbering);
    });
  }

  stage(turn: number): StageProgress {
    return this.stages[turn]!;
  }

  base(_reference: string, output = this.first) {
    return { output, end: () => {} };
  }

  fail(turn: number): void {
    this.ordered!.fail(turn);
  }

  made(imageId: string, unused: readonly string[]): void {
    if (unused.length > 0)
      this.first.text(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`);
    this.first.text(`Successfully built ${shortId(imageId)}\n`);
  }

  tagged(reference: string): void {
    this.first.text(`Successfully tagged ${reference}\n`);
  }

  private openStage(turn: number, from: string, numbering: { next: number; total: number }): StageProgress {
    const { ordered, quiet } = this;
    const output = ordered!.at(turn);
    const say = (text: string) => output.text(`Step ${numbering.next++}/${numbering.total} : ${text}\n`);
    let silent = false;
    return {
      from() {
        say(from);
        return output;
      },
      triggers: (count) => output.text(`# Executing ${count} build trigger${count > 1 ? 's' : ''}\n`),
      step({ at }: Instruction, isTrigger) {
        silent = isTrigger;
        if (!isTrigger) say(at.text);
        return output;
      },
      done(imageId) {
        if (!silent) output.text(` ---> ${shortId(imageId ?? '')}\n`);
        silent = false;
      },
      failed: () => {},
      end(imageId) {
        if (quiet || imageId !== undefined) output.message({ aux: { ID: imageId } });
        ordered!.end(turn);
      },
    };
  }
}
