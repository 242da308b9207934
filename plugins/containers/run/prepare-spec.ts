import { constants } from 'node:fs';
import { access, chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, invalidParameter, type OciMount, type OciSpec, type SandboxState, systemError } from '@gantry/sdk';
import { mount, mountFlags, unmount } from '@gantry/sdk/linux/mount';
import { wantsInit } from '../create/complete-host-config';
import { splitSecurityOption } from '../create/validate';
import type { Engine } from '../engine';
import type { ContainerRecord, MountPoint } from '../records/container-record';
import { buildSpec, type NamespaceChoice } from '../spec/build-spec';
import { resolveCapabilities } from '../spec/capabilities';
import { blockDevices, hostDevices, parseDeviceRule, requestedDevices } from '../spec/devices';
import { pathInRoot } from '../spec/path-in-root';
import { resourceLimits } from '../spec/resources';
import { parseSeccompProfile, resolveSeccomp } from '../spec/seccomp';
import { defaultSeccompProfile } from '../spec/seccomp-profile';
import { resolveUser } from '../spec/user';
import { isAlive } from './state';

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
  const files = joinedSandbox(record, engine) ?? sources.sandbox;
  const capabilities = resolveCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged: hostConfig.Privileged },
    engine.host.knownCapabilities,
  );
  const [user, devices, throttled, mounts, seccomp, rootfsPropagation] = await Promise.all([
    resolveContainerUser(record, rootPath, config.User),
    hostConfig.Privileged
      ? hostDevices().then((found) => ({ devices: found, rules: [] }))
      : requestedDevices(hostConfig.Devices),
    blockDevices(throttledPaths(record)),
    userMounts(sources, files),
    seccompOf(record, capabilities, engine),
    Promise.resolve(propagationOf(record.mounts)),
    makeWorkingDirectory(rootPath, config.WorkingDir),
  ]);
  return buildSpec({
    record,
    rootPath,
    hostname: hostnameOf(record, engine),
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
    apparmorProfile: apparmorOf(record, engine),
    noNewPrivileges: noNewPrivileges(record, engine),
    rlimits: rlimitsOf(record, engine),
    sysctls: hostConfig.Sysctls ?? {},
    cgroupsPath: cgroupsPath(record, engine),
    initPath: wantsInit(hostConfig, engine.settings.init) ? engine.host.initPath : undefined,
    rootfsPropagation,
  });
}

/** @throws invalid-parameter  the image's files do not know the name */
export async function resolveContainerUser(record: ContainerRecord, rootPath: string, user: string) {
  const [passwd, group] = await Promise.all([readInRoot(rootPath, '/etc/passwd'), readInRoot(rootPath, '/etc/group')]);
  return resolveUser(user, { passwd, group }, record.hostConfig.GroupAdd ?? []);
}

/** The directory whose tmpfs other containers may share; mounted for `shareable` only. */
export const sharedMemoryPath = (directory: string): string => join(directory, 'mounts', 'shm');

/** Mounts the shared memory that others may join. @returns the way back, or undefined when it is not shared */
export async function mountSharedMemory(record: ContainerRecord, directory: string): Promise<(() => void) | undefined> {
  if (record.hostConfig.IpcMode !== 'shareable') return undefined;
  const path = sharedMemoryPath(directory);
  await mkdir(path, { recursive: true, mode: 0o700 });
  mount(
    'shm',
    path,
    'tmpfs',
    mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec,
    `mode=1777,size=${record.hostConfig.ShmSize}`,
  );
  await chmod(path, 0o1777);
  return () => unmount(path, { detach: true });
}

export function unmountSharedMemory(record: ContainerRecord, directory: string): void {
  if (record.hostConfig.IpcMode === 'shareable') unmount(sharedMemoryPath(directory), { detach: true });
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
    if (key === 'no-new-privileges') return value !== 'false';
  }
  return engine.settings.noNewPrivileges;
}

export function apparmorOf(record: ContainerRecord, engine: Pick<Engine, 'host'>): string | undefined {
  if (!engine.host.hasAppArmor) return undefined;
  for (const option of record.hostConfig.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    if (key === 'apparmor') return value;
  }
  return record.hostConfig.Privileged ? 'unconfined' : undefined;
}

function joinedContainer(mode: string, engine: Engine) {
  return mode.startsWith('container:') ? engine.index.get(mode.slice('container:'.length)) : undefined;
}

function joinedSandbox(record: ContainerRecord, engine: Engine): SandboxState | undefined {
  const other = joinedContainer(record.hostConfig.NetworkMode, engine);
  if (other === undefined) return undefined;
  if (!isAlive(other.state)) throw conflict(`cannot join network of a non running container: ${other.id}`);
  const further = joinedSandbox(other.record, engine);
  return further ?? engine.networks.sandbox(other.id);
}

function networkNamespace(record: ContainerRecord, files: SandboxState | undefined): NamespaceChoice {
  if (record.hostConfig.NetworkMode === 'host') return 'host';
  return files?.key === undefined ? 'host' : { path: files.key };
}

function joinable(mode: string, type: 'pid' | 'ipc' | 'uts', engine: Engine): NamespaceChoice {
  if (mode === 'host') return 'host';
  const other = joinedContainer(mode, engine);
  if (other === undefined) return 'private';
  if (!isAlive(other.state))
    throw conflict(`cannot join ${type.toUpperCase()} of a non running container: ${other.id}`);
  return { path: `/proc/${other.state.pid}/ns/${type}` };
}

function utsNamespace(record: ContainerRecord, engine: Engine): NamespaceChoice {
  // Those who share a network share the host name that belongs to it.
  const other = joinedContainer(record.hostConfig.NetworkMode, engine);
  return other ? joinable(`container:${other.id}`, 'uts', engine) : 'private';
}

function ipcNamespace(record: ContainerRecord, engine: Engine): NamespaceChoice {
  const other = joinedContainer(record.hostConfig.IpcMode, engine);
  if (other && other.record.hostConfig.IpcMode !== 'shareable')
    throw conflict(
      `cannot join IPC of container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  return joinable(record.hostConfig.IpcMode, 'ipc', engine);
}

function sharedMemory(record: ContainerRecord, engine: Engine): string | 'own' | 'none' {
  const mode = record.hostConfig.IpcMode;
  if (mode === 'host') return '/dev/shm';
  if (mode === 'none') return 'none';
  if (mode === 'shareable') return sharedMemoryPath(engine.store.directory(record.id));
  const other = joinedContainer(mode, engine);
  return other ? sharedMemoryPath(other.directory) : 'own';
}

function hostnameOf(record: ContainerRecord, engine: Engine): string {
  return joinedContainer(record.hostConfig.NetworkMode, engine)?.record.config.Hostname ?? record.config.Hostname;
}

async function userMounts({ record, volumePaths }: SpecSources, files: SandboxState | undefined): Promise<OciMount[]> {
  const mounts = await Promise.all(record.mounts.map((point) => userMount(point, volumePaths)));
  const taken = new Set(mounts.map(({ destination }) => destination));
  const sandboxFiles: [string, string | undefined][] = [
    ['/etc/resolv.conf', files?.resolvConfPath],
    ['/etc/hostname', files?.hostnamePath],
    ['/etc/hosts', files?.hostsPath],
  ];
  for (const [destination, source] of sandboxFiles)
    if (source && !taken.has(destination))
      mounts.push({
        destination,
        type: 'bind',
        source,
        options: ['rbind', 'rprivate', ...(record.hostConfig.ReadonlyRootfs ? ['ro'] : [])],
      });
  return mounts;
}

async function userMount(point: MountPoint, volumePaths: ReadonlyMap<string, string>): Promise<OciMount> {
  const { destination } = point;
  const access = point.readWrite ? [] : ['ro'];
  switch (point.type) {
    case 'tmpfs':
      return { destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(point.options ?? []) };
    case 'volume': {
      const base = volumePaths.get(point.mountId);
      if (base === undefined) throw systemError(`volume ${point.name} is not mounted`);
      const source = point.subpath === '' ? base : await subpathOf(base, point);
      return { destination, type: 'bind', source, options: ['rbind', ...access] };
    }
    case 'bind':
      await ensureBindSource(point);
      return {
        destination,
        type: 'bind',
        source: point.source,
        options: [point.recursive ? 'rbind' : 'bind', ...access, ...(point.propagation ? [point.propagation] : [])],
      };
  }
}

async function subpathOf(base: string, point: MountPoint): Promise<string> {
  const path = await pathInRoot(base, point.subpath);
  await stat(path).catch((error: unknown) => {
    throw systemError(`cannot access path ${path}: lstat ${path}: no such file or directory`, error);
  });
  return path;
}

async function ensureBindSource(point: MountPoint): Promise<void> {
  try {
    await access(point.source, constants.F_OK);
  } catch (error) {
    if (!point.createSource)
      throw invalidParameter(
        `invalid mount config for type "bind": bind source path does not exist: ${point.source}`,
        error,
      );
    try {
      await mkdir(point.source, { recursive: true, mode: 0o755 });
    } catch (cause) {
      throw systemError(`error while creating mount source path '${point.source}': ${(cause as Error).message}`, cause);
    }
  }
}

function tmpfsOptions(asked: readonly string[]): string[] {
  const opposites: Record<string, string> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };
  const lifted = asked.map((option) => opposites[option]);
  return [
    ...['noexec', 'nosuid', 'nodev'].filter((option) => !lifted.includes(option) && !asked.includes(option)),
    ...asked,
  ];
}

function propagationOf(mounts: readonly MountPoint[]): string {
  const used = mounts.map(({ propagation }) => propagation);
  if (used.some((mode) => mode === 'shared' || mode === 'rshared')) return 'shared';
  return used.some((mode) => mode === 'slave' || mode === 'rslave') ? 'rslave' : '';
}

function throttledPaths({ hostConfig: host }: ContainerRecord): string[] {
  return [
    host.BlkioWeightDevice,
    host.BlkioDeviceReadBps,
    host.BlkioDeviceWriteBps,
    host.BlkioDeviceReadIOps,
    host.BlkioDeviceWriteIOps,
  ].flatMap((entries) => entries.map(({ Path }) => Path));
}

function rlimitsOf(record: ContainerRecord, engine: Engine) {
  const limits = new Map<string, { name: string; soft: number; hard: number }>();
  for (const limit of Object.values(engine.settings.defaultUlimits)) limits.set(limit.name, limit);
  for (const { Name, Soft, Hard } of record.hostConfig.Ulimits ?? [])
    limits.set(Name, { name: Name, soft: Soft, hard: Hard });
  return [...limits.values()];
}

async function seccompOf(record: ContainerRecord, capabilities: readonly string[], engine: Engine) {
  if (record.hostConfig.Privileged || !engine.host.hasSeccomp) return undefined;
  let profile = engine.settings.seccompProfile;
  for (const option of record.hostConfig.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    if (key === 'seccomp') profile = value;
  }
  if (profile === 'unconfined') return undefined;
  const { arch, kernel } = engine.host;
  if (profile === undefined || profile === 'builtin' || profile === '')
    return resolveSeccomp(defaultSeccompProfile, { capabilities, arch, kernel });
  // The docker CLI sends the file's content; the daemon's own option is a path.
  const content = profile.trimStart().startsWith('{') ? profile : await readFile(profile, 'utf8');
  return resolveSeccomp(parseSeccompProfile(content), { capabilities, arch, kernel });
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
