import { invalidParameter } from '@gantry/sdk';
import type { ContextTrees } from '../context/context-trees';
import type { SourceTree } from '../context/source-tree';
import { expandWord } from '../dockerfile/expand';
import type { Dockerfile, Instruction, Stage } from '../dockerfile/instructions';
import { LocatedError, syntaxError } from '../dockerfile/source-position';
import type { BuildArgs } from './build-args';
import type { BuildDialect } from './dialect';
import { parsePlatform } from './platform';

/** A stage with what it stands on. */
export interface PlannedStage {
  /** Its place in the Dockerfile. */
  readonly index: number;
  readonly stage: Stage;
  readonly base:
    | { readonly kind: 'stage'; readonly index: number }
    | { readonly kind: 'image'; readonly reference: string }
    | { readonly kind: 'tree'; tree(): Promise<SourceTree> }
    | { readonly kind: 'scratch' };
  /** Undefined = that of the build. */
  readonly platform: string | undefined;
  readonly instructions: readonly Instruction[];
  /** Stages it needs: base, COPY --from, RUN --mount. */
  readonly needs: readonly number[];
}

/** The stages of a build that its target needs, in the order of the file. */
export interface BuildPlan {
  readonly stages: readonly PlannedStage[];
  readonly target: number;
  /** Finds an earlier stage by name or number; undefined = no stage, so an image. */
  stageNamed(name: string, before: number): number | undefined;
}

/**
 * Works out which stages a build needs.
 *
 * @param labels of the client, put on the target
 * @param contextNamed what the client put behind a name: it goes before stages and images
 * @throws invalid-parameter  no such target, a name used twice, or a stage that needs a later one
 */
export function planBuild(
  dockerfile: Dockerfile,
  args: BuildArgs,
  target: string,
  labels: Readonly<Record<string, string>>,
  dialect: BuildDialect,
  contextNamed: ContextTrees['named'],
): BuildPlan {
  const { stages, escape: escapeChar } = dockerfile;
  const names = new Map<string, number>();
  for (const [index, { name, at }] of stages.entries()) {
    if (name === undefined) continue;
    if (names.has(name) && !dialect.isLenient) throw syntaxError(at, `${name} stage name already used`);
    names.set(name, index);
  }
  const stageNamed = (name: string, before: number): number | undefined => {
    const wanted = name.toLowerCase();
    const named = stages.findLastIndex((stage, at) => at < before && stage.name === wanted);
    if (named >= 0) return named;
    const index = !names.has(wanted) && /^\d+$/.test(name) ? Number(name) : undefined;
    return index !== undefined && index < before ? index : undefined;
  };
  const targetIndex = target === '' ? stages.length - 1 : names.get(target.toLowerCase());
  if (targetIndex === undefined) throw invalidParameter(dialect.missingTarget(target));
  const plan = (index: number): PlannedStage => {
    const stage = stages[index]!;
    const fail = (message: string) => syntaxError(stage.at, message);
    const reference = expandIn(stage, stage.base, args, escapeChar);
    if (reference === '') throw fail(`base name (${stage.base}) should not be blank`);
    const platform =
      stage.platform === undefined ? undefined : expandIn(stage, stage.platform, args, escapeChar) || undefined;
    const named = contextNamed(reference);
    const baseIndex = named === undefined ? stageNamed(reference, index) : undefined;
    const labelled = index === targetIndex ? labelInstructions(stage, labels) : [];
    const instructions = [...stage.instructions, ...labelled];
    const needs = new Set<number>();
    const need = (name: string, instruction: Instruction) => {
      if (contextNamed(name) !== undefined) return;
      const found = stageNamed(name, index);
      if (found !== undefined) needs.add(found);
      else if ((names.get(name.toLowerCase()) ?? -1) >= index)
        throw outOfOrder(names.get(name.toLowerCase()) === index, name, instruction, dialect);
    };
    if (baseIndex !== undefined) needs.add(baseIndex);
    for (const instruction of instructions) {
      if (instruction.kind === 'copy' && instruction.from !== undefined) need(instruction.from, instruction);
      if (instruction.kind === 'run')
        for (const { from } of instruction.mounts) if (from !== undefined) need(from, instruction);
    }
    return {
      index,
      stage,
      base:
        named !== undefined
          ? named
          : baseIndex !== undefined
            ? { kind: 'stage', index: baseIndex }
            : reference === 'scratch'
              ? { kind: 'scratch' }
              : { kind: 'image', reference },
      platform: platform === undefined ? undefined : parsePlatform(platform),
      instructions,
      needs: [...needs],
    };
  };
  const planned = new Map<number, PlannedStage>();
  const visit = (index: number) => {
    if (planned.has(index)) return;
    const one = plan(index);
    planned.set(index, one);
    for (const next of one.needs) visit(next);
  };
  visit(targetIndex);
  return { stages: [...planned.values()].sort((a, b) => a.index - b.index), target: targetIndex, stageNamed };
}

function outOfOrder(isItself: boolean, name: string, { at }: Instruction, { isLenient }: BuildDialect): LocatedError {
  if (!isItself) return syntaxError(at, `invalid from flag value ${name}: the stage comes later in the Dockerfile`);
  const text = `circular dependency detected on stage: ${name}`;
  return isLenient ? new LocatedError('invalid-parameter', text, at, undefined) : syntaxError(at, text);
}

function expandIn(stage: Stage, word: string, args: BuildArgs, escapeChar: string): string {
  try {
    return expandWord(word, args.global, escapeChar);
  } catch (error) {
    throw syntaxError(stage.at, `failed to process arguments: ${(error as Error).message}`);
  }
}

function labelInstructions({ at }: Stage, labels: Readonly<Record<string, string>>): Instruction[] {
  return Object.keys(labels)
    .sort()
    .map((name) => ({
      kind: 'label',
      at: { ...at, text: `LABEL ${name}=${labels[name]}` },
      pairs: [{ name, value: labels[name]! }],
      literal: true,
    }));
}
