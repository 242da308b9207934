import type { OciLinux, OciMount, OciResources, OciSpec } from '@gantry/sdk';
import { DEFAULT_DEVICE_RULES, defaultMounts } from '@gantry/sdk/oci';
import { variableName } from '../create/merge-config';
import type { ContainerRecord } from '../records/container-record';
import type { Device, DeviceRule } from './devices';
import type { ResolvedUser } from './user';

/** Where a namespace comes from: a new one, the host's, or the one behind a path. */
export type NamespaceChoice = 'private' | 'host' | { readonly path: string };

/** A resource limit as the API names it, such as `nofile`. */
export interface Rlimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Everything a spec depends on, looked up beforehand: building it touches nothing. */
export interface SpecInput {
  readonly record: Pick<ContainerRecord, 'id' | 'path' | 'args' | 'config' | 'hostConfig'>;
  readonly rootPath: string;
  readonly hostname: string;
  /** What linked containers are told about each other. */
  readonly linkVariables?: readonly string[];
  readonly user: ResolvedUser;
  readonly capabilities: readonly string[];
  readonly namespaces: Readonly<Record<'pid' | 'network' | 'ipc' | 'uts' | 'cgroup', NamespaceChoice>>;
  /** Binds, volumes and tmpfs of the user, and the files of the sandbox; sources exist. */
  readonly mounts: readonly OciMount[];
  /** /dev/shm: a tmpfs of its own, none, or the host path of a shared one. */
  readonly shm: 'own' | 'none' | string;
  readonly devices: readonly Device[];
  readonly deviceRules: readonly DeviceRule[];
  readonly resources: OciResources;
  readonly seccomp: Record<string, unknown> | undefined;
  readonly apparmorProfile: string | undefined;
  readonly noNewPrivileges: boolean;
  /** Control groups may be made and changed from inside. */
  readonly writableCgroups?: boolean;
  readonly rlimits: readonly Rlimit[];
  /** Sysctls this kernel has. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly cgroupsPath: string;
  /** Host path of the init to run as pid 1, or undefined. */
  readonly initPath: string | undefined;
  readonly rootfsPropagation: string;
}

const INIT_PATH = '/sbin/docker-init';
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The OCI runtime spec of a container. Pure. @see OCI runtime spec, config.md and config-linux.md */
export function buildSpec(input: SpecInput): OciSpec {
  const { config, hostConfig, path, args } = input.record;
  const [rows, columns] = hostConfig.ConsoleSize ?? [];
  return {
    // crun refuses versions it does not know.
    ociVersion: '1.0.2',
    process: {
      terminal: config.Tty,
      ...(config.Tty && rows && columns ? { consoleSize: { height: rows, width: columns } } : {}),
      user: {
        uid: input.user.uid,
        gid: input.user.gid,
        additionalGids: [...input.user.additionalGids],
      },
      args: input.initPath === undefined ? [path, ...args] : [INIT_PATH, '--', path, ...args],
      env: environment(config.Env, {
        hostname: input.hostname,
        terminal: config.Tty,
        linkVariables: input.linkVariables,
      }),
      cwd: config.WorkingDir || '/',
      capabilities: capabilitySets(input.capabilities, input.user.uid),
      rlimits: ociRlimits(input.rlimits),
      noNewPrivileges: input.noNewPrivileges,
      ...(input.apparmorProfile ? { apparmorProfile: input.apparmorProfile } : {}),
      oomScoreAdj: hostConfig.OomScoreAdj,
    },
    root: { path: input.rootPath, readonly: hostConfig.ReadonlyRootfs },
    ...(input.namespaces.uts === 'private' ? { hostname: input.hostname } : {}),
    mounts: allMounts(input),
    ...(hostConfig.Annotations ? { annotations: { ...hostConfig.Annotations } } : {}),
    linux: linuxPart(input),
  };
}

/** Variables of a process in a container; the user's win over ours. */
export function environment(
  own: readonly string[],
  options: { readonly hostname: string; readonly terminal: boolean; readonly linkVariables?: readonly string[] },
): string[] {
  const names = new Set(own.map(variableName));
  const base = [
    DEFAULT_PATH,
    `HOSTNAME=${options.hostname}`,
    ...(options.terminal ? ['TERM=xterm'] : []),
    ...(options.linkVariables ?? []),
  ];
  // A variable without "=" asks for its removal.
  return [...base.filter((entry) => !names.has(variableName(entry))), ...own.filter((entry) => entry.includes('='))];
}

/** A user other than root starts without effective capabilities, as after setuid(2). */
export function capabilitySets(names: readonly string[], uid: number): NonNullable<OciSpec['process']['capabilities']> {
  const all = [...names];
  const own = uid === 0 ? all : [];
  return { bounding: all, effective: [...own], permitted: [...own], inheritable: [], ambient: [] };
}

function linuxPart(input: SpecInput): OciLinux {
  const { hostConfig, config } = input.record;
  const { namespaces } = input;
  const network = namespaces.network;
  // Inside a namespace of its own these are harmless, and spare images a capability.
  const networkSysctls: Record<string, string> =
    network === 'host'
      ? {}
      : { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
  const joinsContainer = hostConfig.NetworkMode.startsWith('container:');
  return {
    namespaces: [
      { type: 'mount' },
      ...(['network', 'uts', 'pid', 'ipc', 'cgroup'] as const).flatMap((type) => {
        const choice = namespaces[type];
        if (choice === 'host') return [];
        return choice === 'private' ? [{ type }] : [{ type, path: choice.path }];
      }),
    ],
    cgroupsPath: input.cgroupsPath,
    resources: {
      ...input.resources,
      devices: hostConfig.Privileged
        ? [{ allow: true, access: 'rwm' }]
        : [...DEFAULT_DEVICE_RULES, ...input.deviceRules],
    },
    ...(input.devices.length > 0 ? { devices: [...input.devices] } : {}),
    ...(input.seccomp ? { seccomp: input.seccomp } : {}),
    sysctl: {
      ...(joinsContainer ? {} : networkSysctls),
      ...(config.Domainname && namespaces.uts === 'private' ? { 'kernel.domainname': config.Domainname } : {}),
      ...input.sysctls,
    },
    maskedPaths: [...(hostConfig.MaskedPaths ?? [])],
    readonlyPaths: [...(hostConfig.ReadonlyPaths ?? [])],
    ...(input.rootfsPropagation ? { rootfsPropagation: input.rootfsPropagation } : {}),
  };
}

function allMounts(input: SpecInput): OciMount[] {
  const { hostConfig } = input.record;
  const user = new Map(input.mounts.map((mount) => [mount.destination, mount]));
  const replacesDev = user.has('/dev');
  const own = [...defaultMounts(), ...sharedMemory(input.shm, hostConfig.ShmSize)]
    .filter(({ destination }) => !user.has(destination))
    .filter(({ destination }) => !(replacesDev && destination.startsWith('/dev/')))
    .map((mount) => adjustDefault(mount, input));
  const init: OciMount[] = input.initPath
    ? [{ destination: INIT_PATH, type: 'bind', source: input.initPath, options: ['bind', 'ro'] }]
    : [];
  // A mount below another one must come after it.
  const sorted = [...input.mounts].sort((a, b) => depth(a.destination) - depth(b.destination));
  return [...own, ...init, ...sorted];
}

function sharedMemory(shm: SpecInput['shm'], sizeBytes: number): OciMount[] {
  const destination = '/dev/shm';
  if (shm === 'none') return [];
  if (shm !== 'own') return [{ destination, type: 'bind', source: shm, options: ['rbind', 'rprivate'] }];
  const options = ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${sizeBytes}`];
  return [{ destination, type: 'tmpfs', source: 'shm', options }];
}

const WRITABLE_ON_READONLY_ROOT = new Set(['/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue']);

function adjustDefault(mount: OciMount, input: SpecInput): OciMount {
  const { hostConfig } = input.record;
  let options = mount.options ?? [];
  if (hostConfig.ReadonlyRootfs && !WRITABLE_ON_READONLY_ROOT.has(mount.destination) && !options.includes('ro'))
    options = [...options, 'ro'];
  // The kernel's own trees are no part of the root file system: these win over a read-only one.
  const isOpen =
    (hostConfig.Privileged && (mount.type === 'sysfs' || mount.type === 'cgroup')) ||
    (mount.type === 'cgroup' && input.writableCgroups);
  if (isOpen) options = options.filter((option) => option !== 'ro');
  return { ...mount, options };
}

const depth = (path: string): number => path.split('/').filter(Boolean).length;

/** As the OCI spec wants them. Also for exec. */
export function ociRlimits(limits: readonly Rlimit[]) {
  return limits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard }));
}
