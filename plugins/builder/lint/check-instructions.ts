import type { Dockerfile, Instruction, InstructionKind, Pair } from '../dockerfile/instructions';
import type { SourcePosition } from '../dockerfile/source-position';
import type { FromArguments } from './from-arguments';
import type { LintContext, Report } from './lint-dockerfile';
import { expandWatched, suggestion } from './watched-variables';

const secretName = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const publicName = /(?:_|^)public(?:_|$)/i;

/** What is known of a stage while its instructions are walked through. */
interface StageView {
  /** Variables and their values; undefined = the base image is not here, and any name may be set. */
  environment: Map<string, string> | undefined;
  /** Names of ARG instructions, with a value or without. */
  readonly args: Set<string>;
  hasDirectory: boolean;
  hasShell: boolean;
}

/** Checks the instructions of the stages that are built, one after the other. */
export async function checkInstructions(
  dockerfile: Dockerfile,
  from: FromArguments,
  context: LintContext,
  report: Report,
): Promise<void> {
  const views: StageView[] = [];
  for (const [index, stage] of dockerfile.stages.entries()) {
    const base = expandWatched(stage.base, (name) => from.values.get(name), dockerfile.escape).text ?? '';
    const earlier = dockerfile.stages.findLastIndex(({ name }, at) => at < index && name === base.toLowerCase());
    const view = earlier < 0 ? await firstView(base, context) : copyOf(views[earlier]!);
    views.push(view);
    const isSilent = context.stages !== undefined && !context.stages.has(index);
    new StageCheck(dockerfile.escape, view, from, context, isSilent ? () => {} : report).run(stage.instructions);
  }
}

async function firstView(base: string, context: LintContext): Promise<StageView> {
  const variables = base === 'scratch' ? [] : await context.environment(base);
  const environment =
    variables === undefined
      ? undefined
      : new Map([['PATH', ''], ...variables.map((entry) => splitOnce(entry))] as [string, string][]);
  return { environment, args: new Set(), hasDirectory: false, hasShell: false };
}

const splitOnce = (entry: string): [string, string] => {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
};

const copyOf = ({ environment, hasDirectory, hasShell }: StageView): StageView => ({
  environment: environment === undefined ? undefined : new Map(environment),
  args: new Set(),
  hasDirectory,
  hasShell,
});

class StageCheck {
  private readonly last = new Map<InstructionKind, SourcePosition>();

  constructor(
    private readonly escapeChar: string,
    private readonly view: StageView,
    private readonly from: FromArguments,
    private readonly context: LintContext,
    private readonly report: Report,
  ) {}

  run(instructions: readonly Instruction[]): void {
    for (const each of instructions) {
      this.variables(each);
      this.check(each);
    }
  }

  private check(instruction: Instruction): void {
    const { view, report } = this;
    const { at } = instruction;
    switch (instruction.kind) {
      case 'env':
        this.legacy('ENV', instruction.pairs, at);
        for (const { name, value } of instruction.pairs) {
          this.secret('ENV', name, at);
          view.environment?.set(name, this.expand(value).text ?? '');
        }
        break;
      case 'label':
        this.legacy('LABEL', instruction.pairs, at);
        break;
      case 'arg':
        for (const { name, value } of instruction.args) {
          this.secret('ARG', name, at);
          view.args.add(name);
          const { buildArgs } = this.context;
          const given = buildArgs[name] ?? (value === undefined ? this.from.values.get(name) : this.expand(value).text);
          if (given !== undefined && !view.environment?.has(name)) view.environment?.set(name, given);
        }
        break;
      case 'workdir':
        if (!view.hasDirectory && !(this.expand(instruction.path).text ?? '/').startsWith('/'))
          report(
            'WorkdirRelativePath',
            `Relative workdir ${JSON.stringify(instruction.path)} can have unexpected results if the base image changes`,
            at,
          );
        view.hasDirectory = true;
        break;
      case 'shell':
        view.hasShell = true;
        break;
      case 'cmd':
      case 'entrypoint': {
        const name = instruction.kind.toUpperCase();
        this.once(instruction);
        if (instruction.command.form === 'shell' && !view.hasShell)
          report(
            'JSONArgsRecommended',
            `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`,
            at,
          );
        break;
      }
      case 'healthcheck':
        this.once(instruction);
        break;
      case 'expose':
        for (const port of instruction.ports.toSorted()) this.port(port, at);
        break;
      default:
    }
  }

  private once({ kind, at }: Instruction): void {
    const before = this.last.get(kind);
    // The one that does not count any more.
    if (before !== undefined)
      this.report(
        'MultipleInstructionsDisallowed',
        `Multiple ${kind.toUpperCase()} instructions should not be used in the same stage because only the last one will be used`,
        before,
      );
    this.last.set(kind, at);
  }

  private port(port: string, at: SourcePosition): void {
    const { text = '' } = this.expand(port);
    const [range = '', protocol = ''] = text.split('/', 2);
    if (range.includes(':'))
      this.report(
        'ExposeInvalidFormat',
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${text}'`,
        at,
      );
    if (protocol !== protocol.toLowerCase())
      this.report('ExposeProtoCasing', `Defined protocol '${text}' in EXPOSE instruction should be lowercase`, at);
  }

  /** `ENV name value`: one name, and no equals sign behind it. */
  private legacy(keyword: 'ENV' | 'LABEL', [first]: readonly Pair[], at: SourcePosition): void {
    const [, written = ''] = /^\S+\s+(\S+)/.exec(at.text) ?? [];
    if (first === undefined || written.includes('=')) return;
    this.report(
      'LegacyKeyValueFormat',
      `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
      at,
    );
  }

  private secret(keyword: 'ARG' | 'ENV', name: string, at: SourcePosition): void {
    if (!secretName.test(name) || publicName.test(name)) return;
    this.report(
      'SecretsUsedInArgOrEnv',
      `Do not use ARG or ENV instructions for sensitive data (${keyword} ${JSON.stringify(name)})`,
      at,
    );
  }

  private variables(instruction: Instruction): void {
    const { environment, args } = this.view;
    if (environment === undefined) return;
    const unknown = new Set<string>();
    for (const word of wordsOf(instruction)) for (const name of this.expand(word).unknown) unknown.add(name);
    for (const name of unknown) {
      if (args.has(name)) continue;
      const hint = suggestion(name, [...environment.keys()].sort(), '$');
      this.report('UndefinedVar', `Usage of undefined variable '$${name}'${hint}`, instruction.at);
    }
  }

  private expand(word: string) {
    return expandWatched(word, (name) => this.view.environment?.get(name), this.escapeChar);
  }
}

/** The words of an instruction in which variables are replaced. */
function wordsOf(instruction: Instruction): readonly string[] {
  switch (instruction.kind) {
    case 'add':
    case 'copy':
      return [...instruction.sources, instruction.destination, instruction.chown ?? '', instruction.chmod ?? ''];
    case 'env':
    case 'label':
      return instruction.pairs.flatMap(({ name, value }) => [name, value]);
    case 'arg':
      return instruction.args.flatMap(({ value }) => value ?? []);
    case 'expose':
      return instruction.ports;
    case 'stopsignal':
      return [instruction.signal];
    case 'user':
      return [instruction.user];
    case 'volume':
      return instruction.paths;
    case 'workdir':
      return [instruction.path];
    default:
      return [];
  }
}
