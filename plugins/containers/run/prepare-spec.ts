import { constants } from 'node:fs';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, type OciSpec, type SandboxState } from '@gantry/sdk';
import { readyProfile } from '../apparmor/container-profile';
import { injectCdiDevices } from '../cdi/apply-edits';
import { readCdiDevices } from '../cdi/cdi-devices';
import { requestedCdiNames } from '../cdi/device-requests';
import { wantsInit } from '../create/complete-host-config';
import { meansFalse, splitSecurityOption } from '../create/security-options';
import type { Engine } from '../engine';
import type { ContainerRecord } from '../records/container-record';
import { buildSpec } from '../spec/build-spec';
import { resolveCapabilities } from '../spec/capabilities';
import { blockDevices, parseDeviceRule, privilegedDevices, requestedDevices } from '../spec/devices';
import { pathInRoot } from '../spec/path-in-root';
import { prepareRealtimeParent } from '../spec/realtime-parent';
import { resourceLimits } from '../spec/resources';
import { parseSeccompProfile, resolveSeccomp } from '../spec/seccomp';
import { defaultSeccompProfile } from '../spec/seccomp-profile';
import { resolveUser } from '../spec/user';
import {
  ipcNamespace,
  joinable,
  joinedSandbox,
  networkNamespace,
  sharedMemory,
  takeSharedNames,
  utsNamespace,
} from './join-namespaces';
import { linkEnvironment } from './link-environment';
import { userMounts } from './mount-list';
import { propagationOf } from './source-propagation';

/** What the earlier steps of a start made. */
export interface SpecSources {
  readonly record: ContainerRecord;
  readonly directory: string;
  readonly rootPath: string;
  /** Undefined when the container joins another one's network. */
  readonly sandbox: SandboxState | undefined;
  /** Host path of each volume, by mount id. */
  readonly volumePaths: ReadonlyMap<string, string>;
}

/** Looks up everything the spec of a container depends on, and builds it. */
export async function prepareSpec(sources: SpecSources, engine: Engine): Promise<OciSpec> {
  const { record, rootPath } = sources;
  const { hostConfig, config } = record;
  takeSharedNames(record, engine);
  const files = joinedSandbox(record, engine) ?? sources.sandbox;
  const capabilities = resolveCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged: hostConfig.Privileged },
    engine.host.knownCapabilities,
  );
  // By itself: it mounts, and when it is over nothing more is mounted.
  const mounts = await userMounts(record, sources.directory, sources.volumePaths, files, engine);
  const [user, devices, throttled, seccomp, apparmorProfile, rootfsPropagation] = await Promise.all([
    resolveContainerUser(record, rootPath, config.User),
    hostConfig.Privileged ? privilegedDevices(hostConfig.Devices ?? []) : requestedDevices(hostConfig.Devices ?? []),
    blockDevices(throttledPaths(record)),
    seccompOf(record, capabilities, engine),
    readyProfile(record, engine.host.appArmor),
    Promise.resolve(propagationOf(record.mounts)),
    makeWorkingDirectory(rootPath, config.WorkingDir),
    prepareRealtimeParent(cgroupsPath(record, engine), engine.host.cgroupVersion, engine.settings),
  ]);
  const requests = hostConfig.DeviceRequests ?? [];
  const cdi = requests.length > 0 ? await readCdiDevices(engine.settings.cdiSpecDirs) : undefined;
  const spec = buildSpec({
    record,
    rootPath,
    hostname: config.Hostname,
    linkVariables: linkEnvironment(record, engine),
    user,
    capabilities,
    namespaces: {
      network: networkNamespace(record, files),
      pid: joinable(hostConfig.PidMode, 'pid', engine),
      ipc: ipcNamespace(record, engine),
      uts: hostConfig.UTSMode === 'host' ? 'host' : utsNamespace(record, engine),
      cgroup: hostConfig.CgroupnsMode === 'host' ? 'host' : 'private',
    },
    mounts,
    shm: sharedMemory(record, engine),
    devices: devices.devices,
    deviceRules: [...devices.rules, ...(hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule)],
    resources: resourceLimits(hostConfig, throttled),
    seccomp,
    apparmorProfile,
    noNewPrivileges: noNewPrivileges(record, engine),
    writableCgroups: writableCgroups(record),
    rlimits: resourceRlimits(record, engine),
    sysctls: hostConfig.Sysctls ?? {},
    cgroupsPath: cgroupsPath(record, engine),
    initPath: wantsInit(hostConfig, engine.settings.init) ? engine.host.initPath : undefined,
    rootfsPropagation,
  });
  if (cdi) await injectCdiDevices(spec, requestedCdiNames(requests, cdi), cdi);
  return spec;
}

/** @throws invalid-parameter  the image's files do not know the name */
export async function resolveContainerUser(record: ContainerRecord, rootPath: string, user: string) {
  const [passwd, group] = await Promise.all([readInRoot(rootPath, '/etc/passwd'), readInRoot(rootPath, '/etc/group')]);
  return resolveUser(user, { passwd, group }, record.hostConfig.GroupAdd ?? []);
}

export function cgroupsPath(record: ContainerRecord, engine: Pick<Engine, 'settings'>): string {
  const parent = record.hostConfig.CgroupParent || engine.settings.cgroupParent;
  if (engine.settings.cgroupDriver === 'systemd') return `${parent || 'system.slice'}:docker:${record.id}`;
  return join('/', parent || 'docker', record.id);
}

/** What exec may use too. */
export function noNewPrivileges(record: ContainerRecord, engine: Pick<Engine, 'settings'>): boolean {
  for (const option of record.hostConfig.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    if (key === 'no-new-privileges') return !meansFalse(value);
  }
  return engine.settings.noNewPrivileges;
}

function writableCgroups({ hostConfig }: ContainerRecord): boolean {
  return (hostConfig.SecurityOpt ?? [])
    .map(splitSecurityOption)
    .some(({ key, value }) => key === 'writable-cgroups' && !meansFalse(value));
}

function throttledPaths({ hostConfig: host }: ContainerRecord): string[] {
  return [
    host.BlkioWeightDevice,
    host.BlkioDeviceReadBps,
    host.BlkioDeviceWriteBps,
    host.BlkioDeviceReadIOps,
    host.BlkioDeviceWriteIOps,
  ].flatMap((entries) => (entries ?? []).map(({ Path }) => Path));
}

/** The daemon's limits under the container's own; exec has them too. */
export function resourceRlimits(record: ContainerRecord, engine: Pick<Engine, 'settings'>) {
  const limits = new Map<string, { name: string; soft: number; hard: number }>();
  for (const limit of Object.values(engine.settings.defaultUlimits)) limits.set(limit.name, limit);
  for (const { Name, Soft, Hard } of record.hostConfig.Ulimits ?? [])
    limits.set(Name, { name: Name, soft: Soft, hard: Hard });
  return [...limits.values()];
}

async function seccompOf(record: ContainerRecord, capabilities: readonly string[], engine: Engine) {
  if (!engine.host.hasSeccomp) return undefined;
  // A privileged container has a filter only when it asks for one by name.
  let profile = record.hostConfig.Privileged ? 'unconfined' : engine.settings.seccompProfile;
  for (const option of record.hostConfig.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    if (key === 'seccomp') profile = value;
  }
  if (profile === 'unconfined') return undefined;
  const { arch, kernel, missingArchitectures } = engine.host;
  const target = { capabilities, arch, kernel, missingArchitectures };
  if (profile === undefined || profile === 'builtin' || profile === '')
    return resolveSeccomp(defaultSeccompProfile, target);
  // The docker CLI sends the file's content; the daemon's own option is a path.
  const content = profile.trimStart().startsWith('{') ? profile : await readFile(profile, 'utf8');
  return resolveSeccomp(parseSeccompProfile(content), target);
}

async function makeWorkingDirectory(rootPath: string, workingDir: string): Promise<void> {
  if (workingDir === '' || workingDir === '/') return;
  const path = await pathInRoot(rootPath, workingDir);
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) await mkdir(path, { recursive: true, mode: 0o755 });
  else if (!info.isDirectory()) throw invalidParameter(`Cannot mkdir: ${workingDir} is not a directory`);
}

/** Reads a file of the image without following links out of it; empty when it is not there or not a file. */
async function readInRoot(root: string, path: string): Promise<string> {
  try {
    // Never blocks on a FIFO that an image may have put there.
    const file = await open(await pathInRoot(root, path), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return (await file.stat()).isFile() ? await file.readFile('utf8') : '';
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw error;
  }
}
