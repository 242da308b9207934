import { expandWord, type Variables } from '../dockerfile/expand';
import type { Dockerfile, InstructionOf } from '../dockerfile/instructions';

const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
/** Usable in RUN without an ARG; then they do not count for the cache, nor are they written into the history. */
const predefined = new Set(proxies.flatMap((name) => [name, name.toLowerCase()]));

/** The build arguments of one build. */
export class BuildArgs {
  /** Those declared before the first FROM, with those every build has. */
  private readonly globals: Map<string, string>;
  private readonly used = new Set<string>();

  /**
   * @param given by the client; null = named without a value
   * @param automatic TARGETPLATFORM and its like
   */
  constructor(
    private readonly given: Readonly<Record<string, string | null>>,
    automatic: Readonly<Record<string, string>>,
  ) {
    this.globals = new Map(Object.entries(automatic));
  }

  /** Takes the ARG instructions before the first FROM. */
  declareGlobals({ globalArgs, escape: escapeChar }: Dockerfile): void {
    for (const { args } of globalArgs)
      for (const arg of args) {
        const name = expandWord(arg.name, this.global, escapeChar);
        const fallback = arg.value === undefined ? undefined : expandWord(arg.value, this.global, escapeChar);
        const value = this.value(name) ?? fallback;
        if (value !== undefined) this.globals.set(name, value);
      }
  }

  /** What FROM lines see. */
  readonly global: Variables = (name) => this.globals.get(name);

  stage(): StageArgs {
    return new StageArgs(this);
  }

  /** What the client gave for a name. */
  value(name: string): string | undefined {
    this.used.add(name);
    return Object.hasOwn(this.given, name) ? (this.given[name] ?? undefined) : undefined;
  }

  get proxies(): string[] {
    return Object.keys(this.given).filter((name) => predefined.has(name));
  }

  /** Names the client gave and no stage asked for. */
  unused(): string[] {
    const quiet = (name: string) =>
      predefined.has(name) || name === 'SOURCE_DATE_EPOCH' || name.startsWith('BUILDKIT_');
    return Object.keys(this.given)
      .filter((name) => !this.used.has(name) && !quiet(name))
      .sort();
  }
}

/** The arguments as one stage sees them: those declared so far. */
export class StageArgs {
  private readonly values = new Map<string, string | undefined>();

  constructor(private readonly build: BuildArgs) {}

  /**
   * @param showValues rather than defaults
   * @returns what the history says of it
   */
  declare(instruction: InstructionOf<'arg'>, variables: Variables, escapeChar: string, showValues: boolean): string {
    const said = instruction.args.map((arg) => {
      const name = expandWord(arg.name, variables, escapeChar);
      const fallback = arg.value === undefined ? undefined : expandWord(arg.value, variables, escapeChar);
      const value = this.build.value(name) ?? fallback ?? this.build.global(name);
      this.values.set(name, value);
      const shown = showValues ? value : fallback;
      return shown === undefined ? name : `${name}=${shown}`;
    });
    return `ARG ${said.join(' ')}`;
  }

  get(name: string): string | undefined {
    return this.values.get(name) ?? (predefined.has(name) ? this.build.value(name) : undefined);
  }

  /**
   * Arguments for a RUN, as `NAME=value`, sorted; variables of the image hide arguments of the same name.
   *
   * @param environment of the image
   */
  forRun(environment: readonly string[]): { readonly all: string[]; readonly recorded: string[] } {
    const hidden = new Set(environment.map((entry) => entry.split('=', 1)[0]));
    const recorded: string[] = [];
    for (const [name, value] of this.values)
      if (value !== undefined && !hidden.has(name)) recorded.push(`${name}=${value}`);
    recorded.sort();
    const silent = this.build.proxies
      .filter((name) => !this.values.has(name) && !hidden.has(name))
      .map((name) => `${name}=${this.build.value(name) ?? ''}`);
    return { all: [...recorded, ...silent], recorded };
  }
}
