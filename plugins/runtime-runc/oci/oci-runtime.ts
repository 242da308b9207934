import { basename, join } from 'node:path';
import { invalidParameter, notFound } from '@gantry/sdk';
import type { AnyMessage } from '../shim/task-service';
import { encode } from '../ttrpc/messages';
import { askFeatures, askVersion, findProgram, type OciVersion } from './oci-binary';
import { scriptFor } from './runtime-script';

/** How a runtime of daemon.json is run. */
export interface RuntimeSetting {
  /** Name or path of the OCI runtime. */
  readonly path?: string;
  readonly runtimeArgs?: readonly string[];
  /** A shim: `io.containerd.<name>.v<n>`, or the path of its binary. */
  readonly runtimeType?: string;
  readonly options?: unknown;
}

/** An OCI runtime that was looked for and found. */
export interface OciRuntime {
  readonly shim: string;
  /** What the shim calls; absent for shims that are no OCI runtime's. */
  readonly binary?: string;
  /** Where the OCI runtime keeps its state, without the namespace the shim appends. */
  readonly root: string;
  readonly options?: AnyMessage;
  /** Whether systemd keeps its containers' cgroups. */
  readonly systemdCgroup: boolean;
  version(): Promise<OciVersion>;
  /** @see Runtime.features */
  features(): Promise<string | undefined>;
}

const RUNC_SHIM = 'containerd-shim-runc-v2';

/** Finds the programs a setting names and prepares the way to call them. @throws not-found naming the missing one */
export async function prepareRuntime(
  name: string,
  setting: RuntimeSetting,
  directories: { readonly scripts: string; readonly state: string },
  systemdCgroup: boolean,
): Promise<OciRuntime> {
  const shim = await findShim(name, setting.runtimeType);
  const root = join(directories.state, name);
  if (basename(shim) !== RUNC_SHIM) {
    const options = setting.options === undefined ? undefined : foreignOptions(name, setting.options);
    const version = async () => ({ path: shim, name: basename(shim), version: '', commit: '' });
    return { shim, root, options, systemdCgroup: false, version, features: async () => undefined };
  }
  const options = runcOptions(name, setting.options);
  const wanted = setting.path ?? options.BinaryName ?? (name === 'crun' ? 'crun' : 'runc');
  const path = await findProgram(wanted);
  if (path === undefined)
    throw notFound(`runtime ${name}: OCI runtime ${wanted} is not installed${packageHint(wanted)}`);
  const version = await askVersion(path);
  const binary = await scriptFor(name, path, setting.runtimeArgs ?? [], version, directories.scripts);
  let features: Promise<string | undefined> | undefined;
  const usesSystemd = options.SystemdCgroup ?? systemdCgroup;
  return {
    shim,
    binary,
    root,
    options: {
      typeUrl: 'containerd.runc.v1.Options',
      value: encode('RuncOptions', {
        binaryName: binary,
        root,
        systemdCgroup: usesSystemd,
        shimCgroup: options.ShimCgroup ?? '',
      }),
    },
    systemdCgroup: usesSystemd,
    version: async () => version,
    features() {
      features ??= askFeatures(path);
      return features;
    },
  };
}

async function findShim(name: string, type: string | undefined): Promise<string> {
  const match = /^io\.containerd\.([\w-]+)\.v(\d+)$/.exec(type ?? 'io.containerd.runc.v2');
  if (!match && !type?.startsWith('/'))
    throw invalidParameter(
      `runtime ${name}: "${type}" is no runtimeType; expected io.containerd.<name>.v<number> or the path of a shim`,
    );
  const program = match ? `containerd-shim-${match[1]}-v${match[2]}` : type!;
  const path = await findProgram(program);
  if (path !== undefined) return path;
  throw notFound(`runtime ${name}: ${program} is not installed${packageHint(program)}`);
}

/** Which package brings a program, as Debian and its descendants name them. */
function packageHint(program: string): string {
  const packages: Record<string, string> = { runc: 'runc', crun: 'crun', [RUNC_SHIM]: 'containerd' };
  return packages[program] === undefined ? '' : ` (Debian: apt-get install ${packages[program]})`;
}

/** Options of the runc shim that have an effect here. */
interface RuncShimOptions {
  readonly BinaryName?: string;
  readonly SystemdCgroup?: boolean;
  readonly ShimCgroup?: string;
}

function runcOptions(name: string, value: unknown): RuncShimOptions {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw invalidParameter(`runtime ${name}: options must be an object`);
  const known: Record<string, string> = { BinaryName: 'string', SystemdCgroup: 'boolean', ShimCgroup: 'string' };
  for (const [key, option] of Object.entries(value)) {
    if (known[key] === undefined)
      throw invalidParameter(
        `runtime ${name}: option "${key}" is not supported; known are ${Object.keys(known).join(', ')}`,
      );
    if (typeof option !== known[key])
      throw invalidParameter(`runtime ${name}: option "${key}" must be a ${known[key]}`);
  }
  return value;
}

function foreignOptions(name: string, value: unknown): AnyMessage {
  const { TypeUrl, ConfigPath, ConfigBody, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw invalidParameter(
      `runtime ${name}: option "${unknown}" is not supported; known are TypeUrl, ConfigPath, ConfigBody`,
    );
  return {
    typeUrl: 'runtimeoptions.v1.Options',
    value: encode('RuntimeOptions', {
      typeUrl: TypeUrl,
      configPath: ConfigPath,
      configBody: ConfigBody === undefined ? undefined : Buffer.from(String(ConfigBody)),
    }),
  };
}
