import { createHash } from 'node:crypto';
import type { ProgressMessage } from '@gantry/sdk';
import type { Dockerfile, Instruction } from '../dockerfile/instructions';
import { fullReference } from '../engine/full-reference';
import type { BuildOutput } from '../engine/output';
import type { BuildProgress, StageProgress } from '../engine/progress';
import type { BuildPlan, PlannedStage } from '../engine/stage-plan';
import { descriptionOf, type Finding, linesOf, shortText } from '../lint/lint-dockerfile';
import { urlOf } from '../lint/rules';
import { reasonOf } from './source-error';
import type { StatusLog } from './status-log';

/** A step that was announced to the client. */
export interface OpenVertex {
  readonly digest: string;
  begin(): void;
  cached(): void;
  /** Something within it. @returns says how far it is, and that it is done */
  task(id: string): { at(current: number, total?: number): void; done(): void };
  output(stream: 1 | 2, text: string): void;
  end(error?: unknown): void;
}

/** What a build does, as the steps that BuildKit's clients draw. */
export class VertexProgress implements BuildProgress {
  private stages: readonly StageProgress[] = [];
  private readonly pulled = new Set<string>();
  private readonly bases = new Set<string>();

  /** @param ref of the build: steps of different builds are never the same */
  constructor(
    private readonly log: StatusLog,
    private readonly ref: string,
    private readonly contextNames: () => number,
  ) {}

  /** Announces a step. @param key tells it from the others of this build */
  open(name: string, key: string = name): OpenVertex {
    const { log } = this;
    const digest = `sha256:${createHash('sha256').update(`${this.ref}\0${key}`).digest('hex')}`;
    let startedAt: number | undefined;
    let cached = false;
    let ended = false;
    const show = (more: { completedAt?: number; error?: string } = {}) =>
      log.vertex({ digest, name, cached, ...(startedAt === undefined ? {} : { startedAt }), ...more });
    const begin = () => {
      if (startedAt !== undefined) return;
      startedAt = Date.now();
      show();
    };
    return {
      digest,
      begin,
      cached() {
        cached = true;
      },
      task(id) {
        begin();
        const started = Date.now();
        const status = { id, vertex: digest, startedAt: started };
        log.status(status);
        let [current, total, shownAt] = [0, 0, 0];
        return {
          at(to, of = 0) {
            [current, total] = [to, of];
            if (Date.now() - shownAt < 100) return;
            shownAt = Date.now();
            log.status({ ...status, current, total });
          },
          done: () => log.status({ ...status, current, total, completedAt: Date.now() }),
        };
      },
      output(stream, text) {
        begin();
        log.output(digest, stream, text);
      },
      end(error) {
        if (ended) return;
        ended = true;
        begin();
        show({ completedAt: Date.now(), ...(error === undefined ? {} : { error: reasonOf(error) }) });
      },
    };
  }

  /** Tells what the checks found, with the step that loaded the Dockerfile. */
  findings(found: readonly Finding[], vertex: string, source: { readonly file: string; readonly text: string }): void {
    for (const finding of found)
      this.log.warning({
        vertex,
        short: shortText(finding),
        detail: descriptionOf(finding),
        url: urlOf(finding.rule),
        source,
        lines: linesOf(finding),
      });
  }

  begin({ stages: all }: Dockerfile, { stages }: BuildPlan): void {
    const isNamed = all.length + this.contextNames() > 1;
    this.stages = stages.map((stage) => this.openStage(stage, isNamed));
  }

  stage(turn: number): StageProgress {
    return this.stages[turn]!;
  }

  base(reference: string) {
    const vertex = this.open(`[internal] load metadata for ${fullReference(reference)}`, `metadata ${reference}`);
    vertex.begin();
    const output: BuildOutput = {
      ...this.outputOf(vertex),
      message: (message) => {
        this.pulled.add(reference);
        shown.message(message);
      },
    };
    const shown = this.outputOf(vertex);
    return { output, end: (error?: unknown) => vertex.end(error) };
  }

  fail(): void {}

  made(): void {}

  tagged(): void {}

  private openStage({ index, stage, base, instructions }: PlannedStage, isNamed: boolean): StageProgress {
    const stageName = stage.name ?? `stage-${index}`;
    const counts = (each: Instruction) => ['run', 'copy', 'add', 'workdir'].includes(each.kind);
    const hasFrom = base.kind === 'image' || base.kind === 'tree';
    let total = (hasFrom ? 1 : 0) + instructions.filter(counts).length;
    let number = 1;
    let current: OpenVertex | undefined;
    const title = (text: string) => {
      const place = `${String(number).padStart(String(total).length)}/${total}`;
      number++;
      return `[${isNamed ? `${stageName} ` : ''}${place}] ${text}`;
    };
    const start = (vertex: OpenVertex) => {
      current = vertex;
      vertex.begin();
      return this.outputOf(vertex);
    };
    return {
      from: () => {
        if (base.kind === 'image') {
          const reference = fullReference(base.reference);
          const vertex = this.open(title(`FROM ${reference}`), `from ${reference}`);
          // Several stages may stand on it.
          if (this.bases.has(reference)) return silent;
          this.bases.add(reference);
          if (!this.pulled.has(base.reference)) vertex.cached();
          return start(vertex);
        }
        if (base.kind === 'tree') return start(this.open(title(`FROM ${stage.base}`), `from ${stage.base}`));
        return silent;
      },
      triggers: () => {
        current?.end();
        current = undefined;
      },
      step: (instruction, isTrigger) => {
        if (!counts(instruction)) {
          current = undefined;
          return silent;
        }
        // How many the base image adds is not known before it is here.
        if (isTrigger) total = Math.max(total, number);
        const text = titleOf(instruction);
        return start(this.open(title(isTrigger ? `ONBUILD ${text}` : text), `${index} ${number}`));
      },
      done() {
        current?.end();
        current = undefined;
      },
      failed(error) {
        current?.end(error);
        current = undefined;
      },
      end: () => {},
    };
  }

  private outputOf(vertex: OpenVertex): BuildOutput {
    const tasks = new Map<string, ReturnType<OpenVertex['task']>>();
    return {
      ...silent,
      log: (source, text) => vertex.output(source === 'stdout' ? 1 : 2, text),
      cached: () => vertex.cached(),
      message({ id, status, progressDetail }: ProgressMessage) {
        if (id === undefined || status === undefined || progressDetail === undefined) return;
        const name = `${status.toLowerCase()} ${id}`;
        const task = tasks.get(name) ?? vertex.task(name);
        tasks.set(name, task);
        const { current = 0, total = 0 } = progressDetail as { current?: number; total?: number };
        task.at(current, total);
        if (total > 0 && current >= total) task.done();
      },
    };
  }
}

/** The classic builder's words are not for these clients. */
const silent: BuildOutput = {
  text: () => {},
  errorText: () => {},
  message: () => {},
  log: () => {},
  cached: () => {},
};

/** An instruction on one line; of a here-document the beginning. */
function titleOf(instruction: Instruction): string {
  const { text } = instruction.at;
  if (instruction.kind !== 'run') return text;
  const [first] = instruction.heredocs;
  if (first === undefined) return text;
  const [line = '', ...rest] = first.content.split('\n');
  return `${text} (${line}${rest.some((each) => each !== '') ? '...' : ''})`;
}
