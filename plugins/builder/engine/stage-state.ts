import type { ImageConfig, ImageSummary } from '@gantry/sdk';
import type { Variables } from '../dockerfile/expand';
import type { StageArgs } from './build-args';
import type { BuildDialect } from './dialect';

export type MutableConfig = { -readonly [K in keyof ImageConfig]: ImageConfig[K] };

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const defaultShell = ['/bin/sh', '-c'];

/** A stage between two instructions. */
export interface StageState {
  /** The last image made; undefined for an empty stage on scratch. */
  imageId: string | undefined;
  /** What its FROM named; undefined = scratch. */
  readonly baseId: string | undefined;
  config: MutableConfig;
  author: string;
  /** A CMD was given here: ENTRYPOINT keeps it. */
  commandSet: boolean;
  readonly platform: string;
  readonly args: StageArgs;
}

/** The state a stage begins with. */
export function initialState(
  base: ImageSummary | undefined,
  platform: string,
  args: StageArgs,
  { scratchDirectory }: BuildDialect,
): StageState {
  const config: MutableConfig = { ...base?.config };
  if (base === undefined && scratchDirectory !== '') config.WorkingDir = scratchDirectory;
  const environment = config.Env ?? [];
  if (!environment.some((entry) => entry.startsWith('PATH='))) config.Env = [...environment, defaultPath];
  return { imageId: base?.id, baseId: base?.id, config, author: '', commandSet: false, platform, args };
}

/** What instructions of a stage see: its environment first, then its arguments. */
export function variablesOf({ config, args }: StageState): Variables {
  return (name) => {
    const prefix = `${name}=`;
    const entry = config.Env?.findLast((candidate) => candidate.startsWith(prefix));
    return entry?.slice(prefix.length) ?? args.get(name);
  };
}

/** The words in front of a shell-form command. */
export const shellOf = ({ Shell }: ImageConfig): readonly string[] =>
  Shell && Shell.length > 0 ? Shell : defaultShell;
