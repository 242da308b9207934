import type { Variables } from '../dockerfile/expand';
import type { Dockerfile, InstructionOf, Stage } from '../dockerfile/instructions';
import type { LintContext, Report } from './lint-dockerfile';
import { expandWatched, suggestion } from './watched-variables';

/** The arguments FROM lines see. */
export class FromArguments {
  /** With what the client gave. */
  readonly values: ReadonlyMap<string, string>;
  private readonly defaults: ReadonlyMap<string, string>;
  private readonly declared = new Set<string>();

  constructor(
    private readonly dockerfile: Dockerfile,
    context: LintContext,
  ) {
    const { globalArgs, escape: escapeChar } = dockerfile;
    for (const { args } of globalArgs) for (const { name } of args) this.declared.add(name);
    this.defaults = valuesOf(globalArgs, context.automatic, {}, escapeChar);
    this.values = valuesOf(globalArgs, context.automatic, context.buildArgs, escapeChar);
  }

  /** A Dockerfile should make sense without build arguments. */
  checkDefaults({ base, at }: Stage, report: Report): void {
    const { text } = expandWatched(base, (name) => this.defaults.get(name), this.dockerfile.escape);
    if (text !== undefined && !isReference(text))
      report(
        'InvalidDefaultArgInFrom',
        `Default value for ARG ${base} results in empty or invalid base image name`,
        at,
      );
  }

  check({ base, platform, name = '', at }: Stage, report: Report): void {
    const variables: Variables = (each) => this.values.get(each);
    const undeclared = (unknown: ReadonlySet<string>) => {
      for (const each of unknown) {
        if (this.declared.has(each)) continue;
        const hint = suggestion(each, [...this.values.keys(), ...this.declared], '');
        report('UndefinedArgInFrom', `FROM argument '${each}' is not declared${hint}`, at);
      }
    };
    undeclared(expandWatched(base, variables, this.dockerfile.escape).unknown);
    if (platform === undefined) return;
    const { text, known, unknown } = expandWatched(platform, variables, this.dockerfile.escape);
    undeclared(unknown);
    if (known.size === 1 && known.has('TARGETPLATFORM') && text === this.values.get('TARGETPLATFORM'))
      report(
        'RedundantTargetPlatform',
        `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`,
        at,
      );
    if (known.size > 0 || unknown.size > 0 || text === undefined) return;
    const [os = '', architecture = ''] = text.split('/');
    // A stage that says so in its name is meant to be for that platform.
    if (os !== '' && architecture !== '' && (name.includes(os) || name.includes(architecture))) return;
    report('FromPlatformFlagConstDisallowed', `FROM --platform flag should not use constant value "${text}"`, at);
  }
}

function valuesOf(
  globalArgs: readonly InstructionOf<'arg'>[],
  automatic: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string | null>>,
  escapeChar: string,
): ReadonlyMap<string, string> {
  const values = new Map(Object.entries(automatic));
  for (const { args } of globalArgs)
    for (const { name, value } of args) {
      const fallback =
        value === undefined ? undefined : expandWatched(value, (each) => values.get(each), escapeChar).text;
      const chosen = given[name] ?? fallback;
      if (chosen !== undefined) values.set(name, chosen);
    }
  return values;
}

const isReference = (text: string): boolean =>
  /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/i.test(
    text,
  ) && !/^[^/]*[A-Z][^/]*$/.test(text.replace(/[:@].*$/, ''));
