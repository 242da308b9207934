import type { Dockerfile, InstructionOf } from '../dockerfile/instructions';
import type { SourcePosition } from '../dockerfile/source-position';
import type { BuildArgs } from '../engine/build-args';
import type { BuildPlan } from '../engine/stage-plan';
import { linesOfPosition, locationOf } from './source-location';

interface Argument {
  readonly name: string;
  readonly description: string | undefined;
  readonly value: string | undefined;
  readonly at: SourcePosition;
}

/** The stages of a Dockerfile. @see BuildKit, frontend/subrequests/targets */
export function targetsOf({ stages }: Dockerfile, text: string): object {
  return {
    targets: stages.map(({ name, base, platform, at }, index) => ({
      ...(name === undefined ? {} : { name }),
      ...(index === stages.length - 1 ? { default: true } : {}),
      ...optional('description', descriptionAbove(text, at, name ?? '')),
      base,
      ...optional('platform', platform),
      location: locationOf(linesOfPosition(at)),
    })),
    sources: [Buffer.from(text).toString('base64')],
  };
}

/** What a build of the target can be given. @see BuildKit, frontend/subrequests/outline */
export function outlineOf(dockerfile: Dockerfile, plan: BuildPlan, args: BuildArgs, text: string): object {
  const target = dockerfile.stages[plan.target]!;
  const taken = argumentsOf(dockerfile, plan, args, text);
  const mounts = plan.stages.flatMap(({ instructions }) =>
    instructions.flatMap((each) => (each.kind === 'run' ? each.mounts.map((mount) => ({ mount, at: each.at })) : [])),
  );
  const lent = (type: 'secret' | 'ssh') => [
    ...new Map(
      mounts
        .filter(({ mount }) => mount.type === type)
        .map(({ mount, at }) => {
          const name = mount.id ?? (type === 'ssh' ? 'default' : (mount.target?.split('/').at(-1) ?? ''));
          return [
            name,
            { name, ...(mount.required ? { required: true } : {}), location: locationOf(linesOfPosition(at)) },
          ];
        }),
    ).values(),
  ];
  const list = (name: string, items: readonly object[]) => (items.length === 0 ? {} : { [name]: items });
  return {
    ...optional('name', target.name),
    ...optional('description', descriptionAbove(text, target.at, target.name ?? '')),
    ...list(
      'args',
      taken.map(({ name, description, value, at }) => ({
        name,
        ...optional('description', description),
        ...optional('value', value),
        location: locationOf(linesOfPosition(at)),
      })),
    ),
    ...list('secrets', lent('secret')),
    ...list('ssh', lent('ssh')),
    sources: [Buffer.from(text).toString('base64')],
  };
}

/** Those of the stages that are built, and the global ones these or their FROM lines use. */
function argumentsOf({ globalArgs }: Dockerfile, { stages }: BuildPlan, args: BuildArgs, text: string): Argument[] {
  const globals = new Map(globalArgs.flatMap((each) => each.args.map(({ name }) => [name, each] as const)));
  const found = new Map<string, Argument>();
  const globalArgument = (name: string, { at }: InstructionOf<'arg'>): Argument => ({
    name,
    description: descriptionAbove(text, at, name),
    value: args.global(name),
    at,
  });
  for (const { stage, instructions } of stages) {
    for (const [name, global] of globals)
      if (new RegExp(`\\$\\{?${name}\\b`).test(`${stage.base} ${stage.platform ?? ''}`))
        found.set(name, globalArgument(name, global));
    for (const each of instructions) {
      if (each.kind !== 'arg') continue;
      for (const { name, value } of each.args) {
        const global = globals.get(name);
        if (value === undefined && global !== undefined) found.set(name, globalArgument(name, global));
        else
          found.set(name, {
            name,
            description: descriptionAbove(text, each.at, name),
            value: args.value(name) ?? value,
            at: each.at,
          });
      }
    }
  }
  return [...found.values()].sort((a, b) => a.at.line - b.at.line);
}

/** `# name what it is`, in the comment right above. */
function descriptionAbove(text: string, { line }: SourcePosition, name: string): string | undefined {
  if (name === '') return undefined;
  const lines = text.split(/\r?\n/);
  for (let at = line - 2; at >= 0 && /^\s*#/.test(lines[at]!); at--) {
    const comment = lines[at]!.replace(/^\s*#\s*/, '');
    if (comment.startsWith(`${name} `)) return comment.slice(name.length + 1);
  }
  return undefined;
}

const optional = (name: string, value: string | undefined) =>
  value === undefined || value === '' ? {} : { [name]: value };
