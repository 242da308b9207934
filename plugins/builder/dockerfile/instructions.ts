import type { Heredoc } from './heredoc';
import type { SourcePosition } from './source-position';

/** A command line: `exec` is run as it is, `shell` is given to the stage's shell. */
export interface CommandLine {
  readonly form: 'exec' | 'shell';
  /** One word for the shell form; empty when there is none. */
  readonly words: readonly string[];
}

/** A name with its value, quotes and variables unresolved. */
export interface Pair {
  readonly name: string;
  readonly value: string;
}

/** What COPY and ADD share. */
export interface FileTransfer {
  readonly sources: readonly string[];
  /** Files written in the Dockerfile itself. */
  readonly inline: readonly Heredoc[];
  readonly destination: string;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly excludes: readonly string[];
}

/** A mount of a RUN instruction, its texts unexpanded. @see Dockerfile reference, "RUN --mount" */
export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly target: string | undefined;
  readonly source: string;
  /** Stage or image; undefined = the context (bind) or nothing (cache). */
  readonly from: string | undefined;
  readonly readOnly: boolean;
  /** Cache identity; the target when absent. */
  readonly id: string | undefined;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** tmpfs: bytes. */
  readonly sizeBytes: number | undefined;
  /** secret, ssh: the step fails when the client has none. */
  readonly required: boolean;
  /** secret: the variable that gets it. */
  readonly environmentName: string | undefined;
}

export interface Healthcheck {
  readonly Test: readonly string[];
  /** Nanoseconds. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

interface Bodies {
  add: FileTransfer & {
    readonly checksum: string | undefined;
    readonly keepGitDirectory: boolean;
    /** Undefined = local archives are unpacked, downloads are not. */
    readonly unpack: boolean | undefined;
  };
  arg: { readonly args: readonly { readonly name: string; readonly value: string | undefined }[] };
  cmd: { readonly command: CommandLine };
  copy: FileTransfer & { readonly from: string | undefined; readonly parents: boolean };
  entrypoint: { readonly command: CommandLine };
  env: { readonly pairs: readonly Pair[] };
  expose: { readonly ports: readonly string[] };
  healthcheck: { readonly health: Healthcheck };
  label: { readonly pairs: readonly Pair[]; readonly literal?: boolean };
  maintainer: { readonly name: string };
  onbuild: { readonly trigger: string };
  run: {
    readonly command: CommandLine;
    readonly heredocs: readonly Heredoc[];
    readonly mounts: readonly RunMount[];
    readonly network: 'default' | 'none' | 'host';
    readonly security: 'sandbox' | 'insecure';
  };
  shell: { readonly words: readonly string[] };
  stopsignal: { readonly signal: string };
  user: { readonly user: string };
  volume: { readonly paths: readonly string[] };
  workdir: { readonly path: string };
}

export type InstructionKind = keyof Bodies;
/** What an instruction of one kind says. */
export type InstructionBody<K extends InstructionKind> = Bodies[K];
export type InstructionOf<K extends InstructionKind> = { readonly kind: K; readonly at: SourcePosition } & Bodies[K];
/** An instruction below a FROM. */
export type Instruction = { [K in InstructionKind]: InstructionOf<K> }[InstructionKind];

/** FROM and what follows it. */
export interface Stage {
  readonly at: SourcePosition;
  /** Image or stage, unexpanded. */
  readonly base: string;
  /** Lower case. */
  readonly name: string | undefined;
  /** Unexpanded. */
  readonly platform: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly file: string;
  readonly escape: string;
  /** ARG instructions before the first FROM. */
  readonly globalArgs: readonly InstructionOf<'arg'>[];
  readonly stages: readonly Stage[];
  /** What will not be understood one day. */
  readonly warnings: readonly string[];
}
