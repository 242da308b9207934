import { errorMessage, invalidParameter } from '@gantry/sdk';
import type { Dockerfile, Instruction, InstructionOf, Stage } from './instructions';
import { parseFrom, parseInstruction } from './parse-instruction';
import { readSource, type SourceLine } from './source-lines';
import { located, syntaxError } from './source-position';

type OpenStage = Omit<Stage, 'instructions'> & { readonly instructions: Instruction[] };

/**
 * Parses a Dockerfile.
 *
 * @param file its name, for messages
 * @throws invalid-parameter  with the line's number and text
 * @see Dockerfile reference
 */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const { directives, lines, warnings } = readSource(text, file);
  const globalArgs: InstructionOf<'arg'>[] = [];
  const stages: OpenStage[] = [];
  for (const line of lines) {
    const stage = attempt(line, () => parseFrom(line, directives.escape));
    if (stage !== undefined) {
      stages.push({ ...stage, instructions: [] });
      continue;
    }
    const instruction = attempt(line, () => parseInstruction(line, directives.escape));
    const current = stages.at(-1);
    if (current !== undefined) current.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else throw located(line, invalidParameter('no build stage in current context'));
  }
  if (stages.length === 0)
    throw invalidParameter(`${file}: dockerfile contains no stages to build: add a FROM instruction`);
  return { file, escape: directives.escape, globalArgs, stages, warnings };
}

/** Parses the triggers a base image leaves for its children. */
export function parseTriggers(triggers: readonly string[], image: string): Instruction[] {
  return triggers.flatMap((trigger) => {
    const file = `ONBUILD of ${image}`;
    const { directives, lines } = readSource(trigger, file);
    return lines.map((line) => attempt(line, () => parseInstruction(line, directives.escape)));
  });
}

function attempt<T>(line: SourceLine, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw syntaxError(line, errorMessage(error));
  }
}
