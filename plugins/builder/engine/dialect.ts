import { randomBytes, randomUUID } from 'node:crypto';
import type { ImageConfig } from '@gantry/sdk';
import type { CommittedState } from './build';
import { fullReference } from './full-reference';
import type { StageState } from './stage-state';
import { shellOf } from './stage-state';

/** What a COPY or ADD did, for the history. */
export interface TransferWords {
  readonly name: 'ADD' | 'COPY';
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  /** Kind and digest of the files. */
  readonly label: string;
  readonly sources: readonly string[];
  /** As in the Dockerfile, variables replaced. */
  readonly destination: string;
}

/** How the images of a build tell where they come from, and how its failures read: the two builders differ in it. */
export interface BuildDialect {
  /** Comment of the history's entries; with it the cache tells the dialects apart. */
  readonly comment: string;
  /** The history says what an ARG was, rather than its default. */
  readonly showsArgValues: boolean;
  /** Labels of the client are instructions of their own, rather than put on the image in the end. */
  readonly labelsAreSteps: boolean;
  /** Base images are looked for before anything else. */
  readonly resolvesBasesFirst: boolean;
  /** The history has a line for an ONBUILD. */
  readonly recordsTriggers: boolean;
  /** A CMD sets ArgsEscaped. */
  readonly escapesArgs: boolean;
  /** The config of the container a step ran in, or would have; undefined = the image does not tell. */
  container(state: CommittedState, createdBy: string, command: readonly string[] | undefined): object | undefined;
  /** A RUN, COPY, ADD or WORKDIR that changes nothing adds a layer all the same. */
  readonly keepsEmptyLayers: boolean;
  /** What a stage on scratch has for a working directory. */
  readonly scratchDirectory: string;
  /**
   * Sources above the context are taken from its top, owners the image does not know are root, several files may
   * have one name, a stage's name may be used twice.
   */
  readonly isLenient: boolean;
  metadata(said: string, state: StageState): string;
  workdir(directory: string, state: StageState): string;
  run(command: string): string;
  transfer(words: TransferWords, state: StageState): string;
  /** @param exposed each with its protocol */
  ports(given: readonly string[], exposed: readonly string[]): string;
  /** Why a file cannot be copied. @param path of it; `problem` is what the classic builder says */
  missingFile(path: string, problem: string): string;
  missingTarget(name: string): string;
  /** Why an image that a COPY or a mount names cannot be had. @param reason from the registry */
  missingSource(from: string, reason: string): string;
  /** What the command's output says when the runtime cannot begin it; undefined = that is the build's own failure. */
  startFailed(reason: string): string | undefined;
  /** Why a RUN failed. @param reason of a command that could not be started */
  commandFailed(command: string, code: number, reason: string | undefined): string;
}

/** What a shell would ignore: the step ran no command. */
const notRun = (text: string, { config }: StageState): string => [...shellOf(config), text].join(' ');

/** The words `notRun` joined, apart again. */
function commandOf(createdBy: string, config: ImageConfig): readonly string[] {
  const shell = shellOf(config);
  const said = createdBy.slice(shell.join(' ').length + 1);
  const mark = '#(nop) ';
  return [...shell, ...(said.startsWith(`${mark} `) ? [mark, said.slice(mark.length + 1)] : [said])];
}

/** dockerd's classic builder. */
export const classicDialect: BuildDialect = {
  comment: '',
  showsArgValues: false,
  labelsAreSteps: true,
  resolvesBasesFirst: false,
  recordsTriggers: true,
  escapesArgs: false,
  container: ({ config, imageId = '' }, createdBy, command) => ({
    ...config,
    Cmd: command ?? commandOf(createdBy, config),
    Image: imageId,
  }),
  keepsEmptyLayers: false,
  scratchDirectory: '',
  isLenient: false,
  metadata: (said, state) => notRun(`#(nop)  ${said}`, state),
  workdir: (directory, state) => notRun(`#(nop) WORKDIR ${directory}`, state),
  run: (command) => command,
  transfer({ name, chown, chmod, label, destination }, state) {
    const flags = [chown === undefined ? '' : `--chown=${chown}`, chmod === undefined ? '' : `--chmod=${chmod}`];
    return notRun(`#(nop) ${name} ${flags.join('')}${label} in ${destination} `, state);
  },
  ports: (ports) => `EXPOSE ${ports.join(' ')}`,
  missingFile: (_path, problem) => problem,
  missingTarget: (name) => `failed to reach build target ${name} in Dockerfile`,
  missingSource: (from, reason) => `invalid from flag value ${from}: ${reason}`,
  startFailed: () => undefined,
  commandFailed: (command, code, reason) =>
    `The command '${command}' returned a non-zero code: ${code}${reason === undefined ? '' : `: ${reason}`}`,
};

/** BuildKit's Dockerfile frontend. */
export const buildkitDialect: BuildDialect = {
  comment: 'buildkit.dockerfile.v0',
  showsArgValues: true,
  labelsAreSteps: false,
  resolvesBasesFirst: true,
  recordsTriggers: false,
  escapesArgs: true,
  container: () => undefined,
  keepsEmptyLayers: true,
  scratchDirectory: '/',
  isLenient: true,
  metadata: (said) => said,
  workdir: (directory) => `WORKDIR ${directory}`,
  run: (command) => `RUN ${command} # buildkit`,
  transfer({ name, chown, chmod, sources, destination }) {
    const flags = [
      ...(chown === undefined ? [] : [`--chown=${chown}`]),
      ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ];
    return `${[name, ...flags, ...sources, destination].join(' ')} # buildkit`;
  },
  ports: (_given, exposed) => `EXPOSE [${exposed.join(' ')}]`,
  missingFile: (path) =>
    `failed to compute cache key: failed to calculate checksum of ref ${randomUUID()}::${randomBytes(12).toString('hex')}: "/${path}": not found`,
  missingTarget: (name) => `target stage "${name}" could not be found`,
  missingSource: unresolved,
  startFailed: (reason) => {
    const said = /unable to start container process: .*$/s.exec(reason)?.[0].replace(/: unknown$/, '');
    return said === undefined ? undefined : `runc run failed: ${said}`;
  },
  commandFailed: (command, code, reason) =>
    `process "${command}" did not complete successfully: ${reason ?? `exit code: ${code}`}`,
};

/** @param reason as the registry client says it */
export function unresolved(reference: string, reason: string): string {
  const said = reason.replace(/^failed to pull \S+: (?=(?:Head|Get) ")/, 'failed to do request: ');
  return `${reference}: failed to resolve source metadata for ${fullReference(reference)}: ${said}`;
}
