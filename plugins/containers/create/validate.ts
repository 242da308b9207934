import { isAbsolute } from 'node:path';
import { type DaemonSettings, invalidParameter } from '@gantry/sdk';
import type { ContainerConfig, HostConfig, RestartPolicy } from '../config/container-config';
import { parseSignal } from '../run/signals';
import { normalizeCapabilities } from '../spec/capabilities';
import { parseDeviceRule } from '../spec/devices';
import type { HostFacts } from '../spec/host-facts';
import { parseExposedPorts, parsePortBindings } from './ports';
import { validateSecurity } from './security-options';
import { validateNetworkOptions } from './validate-network';

const MILLISECOND_NS = 1_000_000;

/**
 * Checks what can be checked without touching anything; limits, mounts and endpoints have checks of their own.
 *
 * @returns warnings for the client
 * @throws invalid-parameter  with dockerd's words, naming the field
 */
export function validateContainer(
  config: ContainerConfig,
  host: HostConfig,
  settings: Pick<DaemonSettings, 'cgroupDriver'>,
  facts: Pick<HostFacts, 'appArmor'> = { appArmor: undefined },
  askedPorts: ContainerConfig['ExposedPorts'] = config.ExposedPorts,
): string[] {
  validateConfig(config);
  validateNetworkOptions(config, host, askedPorts);
  parsePortBindings(host.PortBindings);
  validateRestartPolicy(host.RestartPolicy, host.AutoRemove);
  normalizeCapabilities(host.CapAdd ?? [], 'CapAdd');
  normalizeCapabilities(host.CapDrop ?? [], 'CapDrop');
  for (const rule of host.DeviceCgroupRules ?? []) parseDeviceRule(rule);
  for (const { PathOnHost, CgroupPermissions } of host.Devices ?? []) {
    if (PathOnHost === '') throw invalidParameter('Devices: PathOnHost must not be empty');
    if (!/^[rwm]{0,3}$/.test(CgroupPermissions)) throw invalidParameter(`invalid device mode: ${CgroupPermissions}`);
  }
  validateNamespaces(host);
  const warnings = validateSecurity(host, facts);
  if (host.ShmSize < 0) throw invalidParameter('SHM size can not be less than 0');
  if (host.OomScoreAdj < -1000 || host.OomScoreAdj > 1000)
    throw invalidParameter(`Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  validateUlimits(host);
  for (const key of Object.keys(host.Sysctls ?? {})) validateSysctl(key, host);
  for (const [index, path] of [...(host.MaskedPaths ?? []), ...(host.ReadonlyPaths ?? [])].entries())
    if (!isAbsolute(path))
      throw invalidParameter(
        `${index < (host.MaskedPaths?.length ?? 0) ? 'MaskedPaths' : 'ReadonlyPaths'}: '${path}' is not an absolute path`,
      );
  if (Object.hasOwn(host.Annotations ?? {}, ''))
    throw invalidParameter('invalid Annotations: the empty string is not permitted as an annotation key');
  if (host.ConsoleSize && host.ConsoleSize.length > 0 && !isSize(host.ConsoleSize))
    throw invalidParameter('ConsoleSize must be two numbers from 0 to 65535: height and width');
  refuseUnsupported(host, settings);
  if (host.NetworkMode === 'host' && Object.keys(host.PortBindings ?? {}).length > 0)
    warnings.push('Published ports are discarded when using host network mode');
  return warnings;
}

const isSize = (size: readonly number[]): boolean =>
  size.length === 2 && size.every((characters) => characters >= 0 && characters <= 65_535);

function validateConfig(config: ContainerConfig): void {
  if (config.WorkingDir !== '' && !isAbsolute(config.WorkingDir))
    throw invalidParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  // The kernel takes 64 bytes of any kind, but a name with a blank or a line break would make nonsense of /etc/hosts.
  if (Buffer.byteLength(config.Hostname) > 64 || /[\s\0]/.test(config.Hostname))
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
    if (joins ? value === 'container:' : value === 'container' || !['', ...simple].includes(value))
      throw invalidParameter(`invalid ${what} mode: ${value}`);
  };
  check(host.PidMode, ['host', 'container'], 'PID');
  check(host.IpcMode, ['host', 'none', 'private', 'shareable', 'container'], 'IPC');
  check(host.UTSMode, ['host'], 'UTS');
  check(host.CgroupnsMode, ['host', 'private'], 'cgroup namespace');
  check(host.UsernsMode, ['host'], 'userns');
}

const ULIMITS = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

function validateUlimits(host: HostConfig): void {
  for (const { Name, Soft, Hard } of host.Ulimits ?? []) {
    if (!ULIMITS.has(Name)) throw invalidParameter(`invalid ulimit type: ${Name}`);
    if (Hard !== -1 && (Soft > Hard || Soft === -1))
      throw invalidParameter(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
  }
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

function refuseUnsupported(host: HostConfig, settings: Pick<DaemonSettings, 'cgroupDriver'>): void {
  if (host.Isolation !== '' && host.Isolation.toLowerCase() !== 'default')
    throw invalidParameter(`invalid isolation (${host.Isolation}): linux only supports 'default'`);
  if (host.Cgroup !== '')
    throw invalidParameter('HostConfig.Cgroup is not supported: use CgroupParent or CgroupnsMode instead');
  if (host.CgroupParent !== '' && settings.cgroupDriver === 'systemd' && !/^.+\.slice$/.test(host.CgroupParent))
    throw invalidParameter('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"');
}
