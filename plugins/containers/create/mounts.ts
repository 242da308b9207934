import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { isAbsolute, posix } from 'node:path';
import { invalidParameter } from '@gantry/sdk';
import type { MountRequest } from '../config/container-config';
import type { MountPoint } from '../records/container-record';

const PROPAGATIONS = new Set(['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared']);
const READ_WRITE = new Set(['rw', 'ro']);
const LABELS = new Set(['z', 'Z']);
const CONSISTENCIES = new Set(['consistent', 'cached', 'delegated', 'default']);
const COPY = new Set(['nocopy']);

/** A mount point before its volume exists: `name` may be empty, which asks for an anonymous volume. */
export type PlannedMount = MountPoint & {
  readonly volumeOptions: Readonly<Record<string, string>>;
  readonly volumeLabels: Readonly<Record<string, string>>;
  /** Another container's, by VolumesFrom. */
  readonly inherited?: boolean;
};

/** Options of a tmpfs that the kernel and mount(8) know. */
const TMPFS_FLAGS = new Set(
  'ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime private rprivate shared rshared slave rslave unbindable runbindable bind rbind defaults'.split(
    ' ',
  ),
);
const TMPFS_VALUES = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);

const basis = () => ({
  source: '',
  name: '',
  driver: '',
  readWrite: true,
  mode: '',
  propagation: '',
  recursive: true,
  copyUp: false,
  subpath: '',
  anonymous: false,
  createSource: false,
  mountId: randomBytes(32).toString('hex'),
  volumeOptions: {},
  volumeLabels: {},
});

/**
 * The `-v` syntax: `[source:]destination[:mode]`.
 *
 * @throws invalid-parameter  with the specification in the message
 */
export function parseBind(spec: string, volumeDriver: string): PlannedMount {
  const parts = spec.split(':');
  if (parts.length > 3 || parts[0] === '') throw invalidParameter(`invalid volume specification: '${spec}'`);
  const [source, destination, mode] =
    parts.length === 1 ? ['', parts[0] ?? '', ''] : [parts[0] ?? '', parts[1] ?? '', parts[2] ?? ''];
  if (parts.length === 2 && isMode(destination)) throw invalidParameter(`invalid volume specification: '${spec}'`);
  if (!isMode(mode)) throw invalidParameter(`invalid mode: ${mode}`);
  const type = isAbsolute(source) ? 'bind' : 'volume';
  const fail = (problem: string) =>
    invalidParameter(`invalid volume specification: '${spec}': invalid mount config for type "${type}": ${problem}`);
  const problem = targetProblem(destination);
  if (problem) throw fail(problem);
  const options = mode.split(',');
  const propagation = options.find((option) => PROPAGATIONS.has(option)) ?? '';
  const common = {
    ...basis(),
    destination: posix.normalize(destination).replace(/(.)\/$/, '$1'),
    readWrite: !options.includes('ro'),
    mode,
  };
  if (type === 'bind') {
    if (options.includes('nocopy')) throw fail('field VolumeOptions must not be specified');
    return { ...common, type, source: cleanPath(source), propagation, createSource: true };
  }
  if (propagation !== '') throw fail('field BindOptions must not be specified');
  return {
    ...common,
    type,
    name: source,
    driver: volumeDriver,
    copyUp: !options.includes('nocopy'),
    anonymous: source === '',
  };
}

/** The `--mount` form. @throws invalid-parameter as dockerd words it, and when a bind's source is missing */
export async function parseMount(request: MountRequest): Promise<PlannedMount> {
  const fail = (problem: string) => invalidParameter(`invalid mount config for type "${request.Type}": ${problem}`);
  const problem = targetProblem(request.Target);
  if (problem) throw fail(problem);
  const common = { ...basis(), destination: cleanPath(request.Target), readWrite: !request.ReadOnly };
  const source = request.Source ?? '';
  switch (request.Type) {
    case 'bind': {
      if (source === '') throw fail('field Source must not be empty');
      refuse(request, ['VolumeOptions', 'TmpfsOptions', 'ImageOptions', 'ClusterOptions'], fail);
      const options = request.BindOptions ?? {};
      const propagation = options.Propagation ?? '';
      if (propagation !== '' && !PROPAGATIONS.has(propagation)) throw fail(`invalid propagation mode: ${propagation}`);
      if (!isAbsolute(source)) throw fail(`invalid mount path: '${source}' mount path must be absolute`);
      const createSource = options.CreateMountpoint ?? false;
      if (!createSource && !(await exists(source))) throw fail(`bind source path does not exist: ${source}`);
      return {
        ...common,
        type: 'bind',
        source: cleanPath(source),
        propagation,
        recursive: !options.NonRecursive,
        recursiveReadOnly: recursiveReadOnly(request, fail),
        createSource,
      };
    }
    case 'volume': {
      refuse(request, ['BindOptions', 'TmpfsOptions', 'ImageOptions', 'ClusterOptions'], fail);
      const options = request.VolumeOptions ?? {};
      const subpath = options.Subpath ?? '';
      if (subpath !== '' && source === '') throw fail('must not set Subpath when using anonymous volumes');
      if (!isLocal(subpath)) throw fail('subpath must be a relative path within the volume');
      if (request.ReadOnly && source === '') throw fail('must not set ReadOnly mode when using anonymous volumes');
      return {
        ...common,
        type: 'volume',
        name: source,
        driver: options.DriverConfig?.Name ?? '',
        mode: 'z',
        copyUp: !options.NoCopy,
        subpath,
        anonymous: source === '',
        volumeOptions: options.DriverConfig?.Options ?? {},
        volumeLabels: options.Labels ?? {},
      };
    }
    case 'tmpfs': {
      refuse(request, ['BindOptions', 'VolumeOptions', 'ImageOptions', 'ClusterOptions'], fail);
      if (source !== '') throw fail('field Source must not be specified');
      return { ...common, type: 'tmpfs', options: tmpfsOptions(request, fail) };
    }
    case 'image': {
      refuse(request, ['BindOptions', 'VolumeOptions', 'TmpfsOptions', 'ClusterOptions'], fail);
      if (source === '') throw fail('field Source must not be empty');
      const subpath = request.ImageOptions?.Subpath ?? '';
      if (!isLocal(subpath)) throw fail('subpath must be a relative path within the volume');
      // Nobody writes into an image, whatever is asked.
      return { ...common, type: 'image', source, readWrite: false, propagation: 'rprivate', subpath };
    }
    case 'cluster':
      throw fail('cluster volumes are for services in cluster mode');
    default:
      throw fail('mount type unknown');
  }
}

type OptionField = 'BindOptions' | 'VolumeOptions' | 'TmpfsOptions' | 'ImageOptions' | 'ClusterOptions';

function refuse(request: MountRequest, fields: readonly OptionField[], fail: (problem: string) => Error): void {
  for (const field of fields) if (request[field] !== undefined) throw fail(`field ${field} must not be specified`);
}

/** How far a read-only bind reaches. @throws when the options contradict each other */
function recursiveReadOnly(request: MountRequest, fail: (problem: string) => Error): MountPoint['recursiveReadOnly'] {
  const { NonRecursive, ReadOnlyNonRecursive, ReadOnlyForceRecursive, Propagation } = request.BindOptions ?? {};
  if (ReadOnlyNonRecursive && !request.ReadOnly)
    throw fail('mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive');
  if (!ReadOnlyForceRecursive) return ReadOnlyNonRecursive ? 'never' : 'where-possible';
  if (!request.ReadOnly) throw fail('mount options conflict: !ReadOnly && BindOptions.ReadOnlyForceRecursive');
  if (NonRecursive) throw fail('mount options conflict: NonRecursive and ReadOnlyForceRecursive');
  if (ReadOnlyNonRecursive)
    throw fail('mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive');
  if (Propagation && Propagation !== 'rprivate')
    throw fail('BindOptions.ReadOnlyForceRecursive needs the propagation rprivate');
  return 'required';
}

/** A relative path that does not lead out; empty = everything. */
const isLocal = (path: string): boolean => !isAbsolute(path) && !posix.normalize(path).split('/').includes('..');

/** `--tmpfs /path[:options]`. */
export function parseTmpfs(destination: string, options: string): PlannedMount {
  const problem = targetProblem(destination);
  if (problem) throw invalidParameter(problem);
  const list = options === '' ? [] : options.split(',');
  for (const option of list) {
    const [name = ''] = option.split('=', 1);
    if (!(option.includes('=') ? TMPFS_VALUES : TMPFS_FLAGS).has(name))
      throw invalidParameter(`Invalid tmpfs option "${option}" for ${destination}`);
  }
  return {
    ...basis(),
    type: 'tmpfs',
    destination: cleanPath(destination),
    options: list.filter((option) => option !== 'defaults'),
  };
}

/** A volume the image (or `-v /path`) asks for without naming it. What is not absolute begins at the root. */
export function anonymousVolume(asked: string, volumeDriver: string): PlannedMount {
  const destination = asked === '' ? '' : posix.resolve('/', asked);
  const problem = targetProblem(destination);
  if (problem) throw invalidParameter(`invalid volume path: '${asked}': ${problem}`);
  return {
    ...basis(),
    type: 'volume',
    destination: cleanPath(destination),
    driver: volumeDriver,
    copyUp: true,
    anonymous: true,
  };
}

/** `container[:mode]`. @throws invalid-parameter */
export function parseVolumesFrom(spec: string): { container: string; readOnly: boolean | undefined } {
  if (spec === '') throw invalidParameter('volumes-from specification cannot be an empty string');
  const separator = spec.indexOf(':');
  if (separator < 0) return { container: spec, readOnly: undefined };
  const mode = spec.slice(separator + 1);
  const options = mode.split(',');
  if (!isMode(mode) || options.some((option) => PROPAGATIONS.has(option) || COPY.has(option)))
    throw invalidParameter(`invalid mode: ${mode}`);
  return { container: spec.slice(0, separator), readOnly: options.includes('ro') };
}

export const newMountId = (): string => randomBytes(32).toString('hex');

export const cleanPath = (path: string): string => posix.normalize(path).replace(/(.)\/$/, '$1');

function tmpfsOptions(request: MountRequest, fail: (problem: string) => Error): string[] {
  const options: string[] = [];
  const given = request.TmpfsOptions;
  if (request.ReadOnly) options.push('ro');
  if (given?.Mode) options.push(`mode=${given.Mode.toString(8)}`);
  if ((given?.SizeBytes ?? 0) < 0) throw fail('TmpfsOptions.SizeBytes must not be negative');
  if (given?.SizeBytes) options.push(`size=${given.SizeBytes}`);
  for (const option of given?.Options ?? []) {
    if (option.length < 1 || option.length > 2) throw fail('invalid option array length');
    if (option[0] !== 'exec' && option[0] !== 'noexec') throw fail(`invalid option: ${option[0]}`);
    options.push(option.join('='));
  }
  return options;
}

function targetProblem(target: string): string | undefined {
  if (target === '') return 'field Target must not be empty';
  if (cleanPath(target) === '/') return "invalid specification: destination can't be '/'";
  if (!isAbsolute(target)) return `invalid mount path: '${target}' mount path must be absolute`;
  return undefined;
}

function isMode(mode: string): boolean {
  if (mode === '') return true;
  const options = mode.split(',');
  const groups = [READ_WRITE, LABELS, PROPAGATIONS, CONSISTENCIES, COPY];
  return (
    options.every((option) => groups.some((group) => group.has(option))) &&
    groups.every((group) => options.filter((option) => group.has(option)).length <= 1)
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
