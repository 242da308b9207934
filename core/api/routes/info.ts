import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import { type ApiRoute, type DaemonSettings, reply } from '@gantry/sdk';
import { askContributors } from './contributions';
import type { CoreRouteDeps } from './core-routes';
import { infoShims } from './older-clients';
import { cgroupFacts, operatingSystem } from './system-facts';
import { systemWarnings } from './system-warnings';

/** @see Docker Engine API, GET /info */
export function infoRoute(deps: CoreRouteDeps): ApiRoute {
  return {
    method: 'GET',
    path: '/info',
    shims: infoShims,
    handle: async () => {
      await deps.starting();
      const [core, parts] = await Promise.all([coreInfo(deps), askContributors(deps, 'info', (info) => info.info?.())]);
      return reply.json(200, mergeInfo(core, parts));
    },
  };
}

/** Shallow, but `Warnings` are united and `Plugins` are concatenated kind by kind. */
export function mergeInfo(
  core: Readonly<Record<string, unknown>>,
  parts: readonly Readonly<Record<string, unknown>>[],
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...core };
  const warnings = new Set<unknown>((core.Warnings as unknown[] | null) ?? []);
  const plugins = { ...(core.Plugins as Record<string, unknown[] | null>) };
  for (const { Warnings, Plugins, ...rest } of parts) {
    Object.assign(merged, rest);
    if (Array.isArray(Warnings)) for (const warning of Warnings) warnings.add(warning);
    for (const [kind, names] of Object.entries((Plugins ?? {}) as Record<string, unknown[]>)) {
      plugins[kind] = [...new Set([...(plugins[kind] ?? []), ...names])].sort();
    }
  }
  merged.Warnings = warnings.size > 0 ? [...warnings] : null;
  merged.Plugins = plugins;
  return merged;
}

async function coreInfo(deps: CoreRouteDeps): Promise<Record<string, unknown>> {
  const { settings } = deps;
  const [system, cgroup, openFiles, ipv4Forwarding] = await Promise.all([
    operatingSystem(),
    cgroupFacts(),
    openFileCount(),
    forwardsIpv4(),
  ]);
  return {
    ID: settings.engineId,
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: 0,
    Driver: settings.storageDriver,
    DriverStatus: [],
    Plugins: {
      Volume: [],
      Network: [],
      Authorization: deps.authorize.names.length > 0 ? deps.authorize.names : null,
      Log: [],
    },
    MemoryLimit: cgroup.memoryLimit,
    SwapLimit: cgroup.swapLimit,
    CpuCfsPeriod: cgroup.cpuCfs,
    CpuCfsQuota: cgroup.cpuCfs,
    CPUShares: cgroup.cpuShares,
    CPUSet: cgroup.cpuSet,
    PidsLimit: cgroup.pidsLimit,
    IPv4Forwarding: ipv4Forwarding,
    OomKillDisable: cgroup.oomKillDisable,
    Debug: settings.debug,
    NFd: openFiles,
    // What a goroutine is for: something that waits or works.
    NGoroutines: process.getActiveResourcesInfo().length,
    SystemTime: new Date().toISOString(),
    LoggingDriver: settings.logDriver,
    CgroupDriver: settings.cgroupDriver,
    CgroupVersion: cgroup.version,
    NEventsListener: deps.events.listenerCount,
    KernelVersion: os.release(),
    OperatingSystem: system.name,
    OSVersion: system.version,
    OSType: 'linux',
    Architecture: os.machine(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(settings),
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    GenericResources: null,
    DockerRootDir: settings.dataRoot,
    HttpProxy: withoutCredentials(settings.proxies.httpProxy),
    HttpsProxy: withoutCredentials(settings.proxies.httpsProxy),
    NoProxy: settings.proxies.noProxy,
    Name: os.hostname(),
    Labels: settings.labels,
    ExperimentalBuild: settings.experimental,
    ServerVersion: deps.version.version,
    Runtimes: {},
    DefaultRuntime: settings.defaultRuntime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: settings.liveRestore,
    Isolation: '',
    InitBinary: settings.initPath || 'docker-init',
    ContainerdCommit: { ID: 'N/A' },
    RuncCommit: { ID: 'N/A' },
    InitCommit: { ID: 'N/A' },
    SecurityOptions: securityOptions(settings),
    DefaultAddressPools:
      settings.defaultAddressPools.length === 0
        ? undefined
        : settings.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    CDISpecDirs: [],
    Warnings: systemWarnings(cgroup, ipv4Forwarding, deps.exposedAddresses()),
  };
}

function registryConfig(settings: DaemonSettings): Record<string, unknown> {
  const isCidr = (name: string) => /^[0-9a-f.:]+\/\d+$/i.test(name);
  const mirrors = settings.registryMirrors.map((mirror) => (mirror.endsWith('/') ? mirror : `${mirror}/`));
  const index = (name: string, secure: boolean, official: boolean) => [
    name,
    { Name: name, Mirrors: official ? mirrors : [], Secure: secure, Official: official },
  ];
  return {
    IndexConfigs: Object.fromEntries([
      index('docker.io', true, true),
      ...settings.insecureRegistries.filter((name) => !isCidr(name)).map((name) => index(name, false, false)),
    ]),
    InsecureRegistryCIDRs: [...new Set(['::1/128', '127.0.0.0/8', ...settings.insecureRegistries.filter(isCidr)])],
    Mirrors: mirrors.length > 0 ? mirrors : null,
  };
}

function securityOptions(settings: DaemonSettings): string[] {
  const options = [`name=seccomp,profile=${settings.seccompProfile ?? 'builtin'}`];
  if (settings.defaultCgroupnsMode === 'private') options.push('name=cgroupns');
  if (settings.noNewPrivileges) options.push('name=no-new-privileges');
  return options;
}

async function openFileCount(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

async function forwardsIpv4(): Promise<boolean> {
  return (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8').catch(() => '0')).trim() === '1';
}

/** `http://user:secret@proxy:3128` is shown as `http://xxxxx:xxxxx@proxy:3128`. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1xxxxx:xxxxx@');
