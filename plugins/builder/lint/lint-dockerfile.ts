import type { Dockerfile, Instruction, Stage } from '../dockerfile/instructions';
import type { SourcePosition } from '../dockerfile/source-position';
import { checkInstructions } from './check-instructions';
import type { CheckOptions } from './check-options';
import { FromArguments } from './from-arguments';
import { type Rule, rules } from './rules';

/** Something in a Dockerfile that is allowed, but not wise. */
export interface Finding {
  readonly rule: Rule;
  readonly detail: string;
  readonly at: SourcePosition;
}

/** Takes a finding. */
export type Report = (rule: Rule, detail: string, at: SourcePosition) => void;

/** What is known of a build when its Dockerfile is checked. */
export interface LintContext {
  readonly options: CheckOptions;
  readonly buildArgs: Readonly<Record<string, string | null>>;
  /** Arguments every build has, such as TARGETPLATFORM. */
  readonly automatic: Readonly<Record<string, string>>;
  /** Places of the stages that are built; undefined = all of them. */
  readonly stages: ReadonlySet<number> | undefined;
  /** Variables of a base image; undefined when the image is not here. */
  environment(reference: string): Promise<readonly string[] | undefined>;
}

/**
 * Checks a Dockerfile.
 *
 * @param text of it
 * @returns in the order in which BuildKit finds them
 */
export async function lintDockerfile(dockerfile: Dockerfile, text: string, context: LintContext): Promise<Finding[]> {
  const found: Finding[] = [];
  const report: Report = (rule, detail, at) => {
    if (!context.options.skips(rule)) found.push({ rule, detail, at });
  };
  checkContinuations(dockerfile, text, report);
  for (const stage of dockerfile.stages) checkWords(stage, report);
  checkStageNames(dockerfile.stages, report);
  checkCasing(dockerfile.stages, report);
  const fromArguments = new FromArguments(dockerfile, context);
  for (const stage of dockerfile.stages) fromArguments.checkDefaults(stage, report);
  for (const stage of dockerfile.stages) fromArguments.check(stage, report);
  await checkInstructions(dockerfile, fromArguments, context, report);
  return found;
}

/** Why a build fails whose author wants it to. */
export function violation(found: readonly Finding[]): string {
  return `lint violation found for rules: ${[...new Set(found.map(({ rule }) => rule))].join(', ')}`;
}

/** On one line, as builds tell it. */
export const shortText = ({ rule, detail, at }: Finding): string => `${rule}: ${detail} (line ${startOf(rule, at)})`;

/** The lines a finding is about. */
export function linesOf({ rule, at }: Finding): number[] {
  const start = startOf(rule, at);
  return Array.from({ length: at.lastLine - start + 1 }, (_, index) => start + index);
}

/** BuildKit notices an empty line only when the instruction ends. */
const startOf = (rule: Rule, at: SourcePosition): number => (rule === 'NoEmptyContinuation' ? at.lastLine : at.line);

export const descriptionOf = ({ rule }: Finding): string => rules[rule];

const positionsOf = ({ globalArgs, stages }: Dockerfile): SourcePosition[] => [
  ...globalArgs.map(({ at }) => at),
  ...stages.flatMap(({ at, instructions }) => [at, ...instructions.map((each) => each.at)]),
];

function checkContinuations(dockerfile: Dockerfile, text: string, report: Report): void {
  const lines = text.split(/\r?\n/);
  for (const at of positionsOf(dockerfile))
    if (lines.slice(at.line, at.lastLine).some((line) => line.trim() === ''))
      report('NoEmptyContinuation', 'Empty continuation line', at);
}

const keywordOf = ({ text }: SourcePosition): string => /^\S+/.exec(text)?.[0] ?? '';

function checkWords({ at, instructions }: Stage, report: Report): void {
  const [, from = '', as = '', name = ''] = /^(\S+)\s.*\s(as)\s+(\S+)$/i.exec(at.text) ?? [];
  if (name !== name.toLowerCase()) report('StageNameCasing', `Stage name '${name}' should be lowercase`, at);
  if (as !== '' && (as === as.toLowerCase()) !== (from === from.toLowerCase()))
    report('FromAsCasing', `'${as}' and '${from}' keywords' casing do not match`, at);
  for (const each of instructions)
    if (each.kind === 'maintainer')
      report('MaintainerDeprecated', 'Maintainer instruction is deprecated in favor of using label', each.at);
}

function checkStageNames(stages: readonly Stage[], report: Report): void {
  const known = new Set<string>();
  for (const { name, at } of stages) {
    if (name === undefined) continue;
    if (name === 'context' || name === 'scratch')
      report('ReservedStageName', `Stage name should not use the same name as reserved stage "${name}"`, at);
    if (known.has(name))
      report('DuplicateStageName', `Duplicate stage name "${name}", stage names should be unique`, at);
    known.add(name);
  }
}

function checkCasing(stages: readonly Stage[], report: Report): void {
  const places = stages.flatMap(({ at, instructions }) => [at, ...instructions.map((each: Instruction) => each.at)]);
  const words = places.map(keywordOf);
  const lower = words.filter((word) => word === word.toLowerCase()).length;
  const upper = words.filter((word) => word === word.toUpperCase()).length;
  const [right, casing] =
    lower > upper
      ? ([(word: string) => word.toLowerCase(), 'lowercase'] as const)
      : ([(word: string) => word.toUpperCase(), 'uppercase'] as const);
  for (const [index, word] of words.entries())
    if (word !== right(word))
      report(
        'ConsistentInstructionCasing',
        `Command '${word}' should match the case of the command majority (${casing})`,
        places[index]!,
      );
}
