import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { type DaemonSettings, invalidParameter, notImplemented } from '@gantry/sdk';
import type { ContainerConfig, HostConfig, RestartPolicy } from '../config/container-config';
import { parseSignal } from '../run/signals';
import { normalizeCapabilities } from '../spec/capabilities';
import { parseDeviceRule } from '../spec/devices';
import { parseExposedPorts, parsePortBindings } from './ports';

const MIB = 1024 * 1024;
const MINIMUM_MEMORY = 6 * MIB;
const MILLISECOND_NS = 1_000_000;

/**
 * Checks what can be checked without touching anything.
 *
 * @returns warnings for the client
 * @throws invalid-parameter  with dockerd's words, naming the field
 * @throws not-implemented    a field this daemon does not act on
 */
export function validateContainer(config: ContainerConfig, host: HostConfig, settings: DaemonSettings): string[] {
  validateConfig(config);
  validateNetworkOptions(config, host);
  parsePortBindings(host.PortBindings);
  validateRestartPolicy(host.RestartPolicy, host.AutoRemove);
  normalizeCapabilities(host.CapAdd ?? [], 'CapAdd');
  normalizeCapabilities(host.CapDrop ?? [], 'CapDrop');
  for (const rule of host.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  for (const device of host.Devices)
    if (!/^[rwm]{0,3}$/.test(device.CgroupPermissions))
      throw invalidParameter(`invalid device mode: ${device.CgroupPermissions}`);
  validateNamespaces(host);
  validateSecurity(host);
  for (const entry of host.ExtraHosts ?? [])
    if (!/^[^:=]+[:=].+$/.test(entry)) throw invalidParameter(`bad format for add-host: "${entry}"`);
  if (host.ShmSize < 0) throw invalidParameter('SHM size can not be less than 0');
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000)
    throw invalidParameter(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  for (const { Name, Soft, Hard } of host.Ulimits ?? []) {
    if (!ULIMITS.has(Name)) throw invalidParameter(`invalid ulimit type: ${Name}`);
    if (Hard !== -1 && (Soft > Hard || Soft === -1))
      throw invalidParameter(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
  }
  for (const key of Object.keys(host.Sysctls ?? {})) validateSysctl(key, host);
  refuseUnsupported(host, settings);
  return validateResources(host);
}

const ULIMITS = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

function validateConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '' && !isAbsolute(config.WorkingDir))
    throw invalidParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  if (
    config.Hostname.length > 63 ||
    (config.Hostname !== '' && !/^[a-zA-Z0-9]([a-zA-Z0-9-_.]*[a-zA-Z0-9])?$/.test(config.Hostname))
  )
    throw invalidParameter(`invalid hostname format: ${config.Hostname}`);
  for (const entry of config.Env)
    if (entry === '' || entry.startsWith('=')) throw invalidParameter(`invalid environment variable: ${entry}`);
  if (config.StopSignal) parseSignal(config.StopSignal);
  parseExposedPorts(Object.keys(config.ExposedPorts ?? {}));
  const health = config.Healthcheck;
  if (health === undefined) return;
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = health[field] ?? 0;
    if (value !== 0 && value < MILLISECOND_NS)
      throw invalidParameter(`${field} in Healthcheck cannot be less than 1ms`);
  }
  if ((health.Retries ?? 0) < 0) throw invalidParameter('Retries in Healthcheck cannot be negative');
}

function validateNetworkOptions(config: ContainerConfig, host: HostConfig): void {
  const mode = host.NetworkMode;
  const joins = mode.startsWith('container:');
  const fail = (what: string) => invalidParameter(`conflicting options: ${what}`);
  if (mode === 'container:')
    throw invalidParameter('invalid network mode: invalid container format container:<name|id>');
  if (host.UTSMode === 'host' && config.Hostname !== '') throw fail('hostname and the UTS mode');
  if (joins && config.Hostname !== '') throw fail('hostname and the network mode');
  if ((joins || mode === 'host') && (host.Links?.length ?? 0) > 0)
    throw fail(
      mode === 'host'
        ? "host type networking can't be used with links. This would result in undefined behavior"
        : "container type network can't be used with links. This would result in undefined behavior",
    );
  if (!joins) return;
  if (host.Dns.length > 0) throw fail('dns and the network mode');
  if ((host.ExtraHosts?.length ?? 0) > 0) throw fail('custom host-to-IP mapping and the network mode');
  if (Object.keys(host.PortBindings).length > 0 || host.PublishAllPorts)
    throw fail('port publishing and the container type network mode');
  if (Object.keys(config.ExposedPorts ?? {}).length > 0)
    throw fail('port exposing and the container type network mode');
}

/** @throws invalid-parameter */
export function validateRestartPolicy(policy: RestartPolicy, autoRemove: boolean): void {
  const { Name, MaximumRetryCount } = policy;
  switch (Name) {
    case '':
    case 'no':
    case 'always':
    case 'unless-stopped':
      if (MaximumRetryCount !== 0) {
        const negative = MaximumRetryCount < 0 ? ' and cannot be negative' : '';
        throw invalidParameter(
          `invalid restart policy: maximum retry count can only be used with 'on-failure'${negative}`,
        );
      }
      break;
    case 'on-failure':
      if (MaximumRetryCount < 0)
        throw invalidParameter('invalid restart policy: maximum retry count cannot be negative');
      break;
    default:
      throw invalidParameter(
        `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
  if (autoRemove && Name !== '' && Name !== 'no')
    throw invalidParameter("can't create 'AutoRemove' container with restart policy");
}

function validateNamespaces(host: HostConfig): void {
  const check = (value: string, simple: readonly string[], what: string) => {
    const joins = value.startsWith('container:') && simple.includes('container');
    if (joins ? value === 'container:' : !['', ...simple].includes(value))
      throw invalidParameter(`invalid ${what} mode: ${value}`);
  };
  check(host.PidMode, ['host', 'container'], 'PID');
  check(host.IpcMode, ['host', 'none', 'private', 'shareable', 'container'], 'IPC');
  check(host.UTSMode, ['host'], 'UTS');
  check(host.CgroupnsMode, ['host', 'private'], 'cgroup namespace');
  check(host.UsernsMode, ['host'], 'user namespace');
}

const UTS_SYSCTLS = new Set(['kernel.domainname']);
const IPC_SYSCTLS = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$|fs\.mqueue\.)/;

function validateSysctl(key: string, host: HostConfig): void {
  if (key.startsWith('net.')) {
    if (host.NetworkMode === 'host') throw invalidParameter(`sysctl '${key}' not allowed in host network namespace`);
    return;
  }
  if (UTS_SYSCTLS.has(key)) {
    if (host.UTSMode === 'host') throw invalidParameter(`sysctl '${key}' not allowed in host UTS namespace`);
    return;
  }
  if (IPC_SYSCTLS.test(key)) {
    if (host.IpcMode === 'host') throw invalidParameter(`sysctl '${key}' not allowed in host ipc namespace`);
    return;
  }
  throw invalidParameter(`sysctl '${key}' is not whitelisted`);
}

function validateSecurity(host: HostConfig): void {
  for (const option of host.SecurityOpt ?? []) {
    const { key, value } = splitSecurityOption(option);
    switch (key) {
      case 'no-new-privileges':
        if (!['', 'true', 'false'].includes(value)) throw invalidParameter(`invalid --security-opt 2: "${option}"`);
        break;
      case 'seccomp':
      case 'apparmor':
        if (value === '') throw invalidParameter(`invalid --security-opt 2: "${option}"`);
        break;
      case 'label':
        if (value !== 'disable')
          throw notImplemented(`--security-opt ${option}: SELinux labels are not supported by this daemon`);
        break;
      case 'systempaths':
        if (value !== 'unconfined') throw invalidParameter(`invalid --security-opt 2: "${option}"`);
        break;
      case 'writable-cgroups':
      case 'credentialspec':
        throw notImplemented(`--security-opt ${option} is not supported by this daemon`);
      default:
        throw invalidParameter(`invalid --security-opt 2: "${option}"`);
    }
  }
}

/** `key=value`, or the older `key:value`. */
export function splitSecurityOption(option: string): { key: string; value: string } {
  const separator = option.search(/[=:]/);
  if (separator < 0) return { key: option, value: '' };
  return { key: option.slice(0, separator), value: option.slice(separator + 1) };
}

function refuseUnsupported(host: HostConfig, settings: DaemonSettings): void {
  const refuse = (field: string, why: string) => notImplemented(`HostConfig.${field} is not supported: ${why}`);
  if ((host.DeviceRequests?.length ?? 0) > 0) {
    const request = host.DeviceRequests?.[0];
    const capabilities = (request?.Capabilities ?? []).map((set) => `[${set.join(' ')}]`).join(' ');
    throw invalidParameter(
      `could not select device driver "${request?.Driver ?? ''}" with capabilities: [${capabilities}]`,
    );
  }
  if (Object.keys(host.StorageOpt ?? {}).length > 0)
    throw invalidParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  if (host.Isolation !== '' && host.Isolation !== 'default')
    throw invalidParameter(`invalid isolation '${host.Isolation}' on linux`);
  if (host.CpuCount > 0 || host.CpuPercent > 0 || host.IOMaximumIOps > 0 || host.IOMaximumBandwidth > 0)
    throw refuse('CpuCount/CpuPercent/IOMaximumIOps/IOMaximumBandwidth', 'these are options of Windows containers');
  if (host.KernelMemory) throw invalidParameter('kernel memory limit is not supported: remove HostConfig.KernelMemory');
  if (host.Cgroup !== '') throw refuse('Cgroup', 'use CgroupParent or CgroupnsMode');
  if (host.CgroupParent !== '' && settings.cgroupDriver === 'systemd' && !host.CgroupParent.endsWith('.slice'))
    throw invalidParameter('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"');
}

/** @returns warnings. @throws invalid-parameter */
export function validateResources(host: HostConfig): string[] {
  const warnings: string[] = [];
  const { Memory, MemorySwap, MemoryReservation, MemorySwappiness } = host;
  if (Memory !== 0 && Memory < MINIMUM_MEMORY) throw invalidParameter('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw invalidParameter('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0)
    throw invalidParameter('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemorySwappiness !== null && (MemorySwappiness < -1 || MemorySwappiness > 100))
    throw invalidParameter(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  if (MemoryReservation !== 0 && MemoryReservation < MINIMUM_MEMORY)
    throw invalidParameter('Minimum memory reservation allowed is 6MB');
  if (Memory > 0 && MemoryReservation > 0 && Memory < MemoryReservation)
    throw invalidParameter('Minimum memory limit can not be less than memory reservation limit, see usage');

  if (host.NanoCpus > 0 && host.CpuPeriod > 0)
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (host.NanoCpus > 0 && host.CpuQuota > 0)
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  const cpus = availableParallelism();
  if (host.NanoCpus !== 0 && (host.NanoCpus < 1e7 || host.NanoCpus > cpus * 1e9))
    throw invalidParameter(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  if (host.CpuPeriod !== 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000))
    throw invalidParameter('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (host.CpuQuota > 0 && host.CpuQuota < 1000)
    throw invalidParameter('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (host.CpuShares < 0)
    throw invalidParameter(`invalid CPU shares (${host.CpuShares}): value must be a positive integer`);
  validateCpuset(host.CpusetCpus, cpus, 'cpus', 'CPUs');
  if (host.CpusetMems !== '' && !CPUSET.test(host.CpusetMems))
    throw invalidParameter(`Invalid value ${host.CpusetMems} for cpuset mems`);
  if (host.BlkioWeight !== 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000))
    throw invalidParameter('Range of blkio weight is from 10 to 1000');
  if (host.OomKillDisable && Memory === 0)
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  return warnings;
}

const CPUSET = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

function validateCpuset(value: string, count: number, name: string, title: string): void {
  if (value === '') return;
  if (!CPUSET.test(value)) throw invalidParameter(`Invalid value ${value} for cpuset ${name}`);
  const highest = Math.max(...value.split(/[,-]/).map(Number));
  if (highest >= count)
    throw invalidParameter(
      `Requested ${title} are not available - requested ${value}, available: 0${count > 1 ? `-${count - 1}` : ''}`,
    );
}
