import { join } from 'node:path';
import { type ApiVersion, apiVersionAtLeast, type SandboxState } from '@gantry/sdk';
import { askedProfile, profileOf } from '../apparmor/container-profile';
import type { ContainerConfig } from '../config/container-config';
import { parseExposedPorts } from '../create/ports';
import { parseLink } from '../create/validate-network';
import type { Engine } from '../engine';
import type { ContainerRecord } from '../records/container-record';
import type { Container } from '../run/container';

import { isAlive } from '../run/state';
import { liveSandbox, renderNetworks, shownMounts } from './render-shared';
import { shownConfig, shownHostConfig } from './shown-config';

/** @see Engine API, ContainerInspectResponse */
export function renderInspect(
  container: Container,
  engine: Engine,
  apiVersion: ApiVersion,
  sizes?: { sizeRw: number; sizeRootFs: number },
): Record<string, unknown> {
  const { record, directory } = container;
  const joined = record.hostConfig.NetworkMode.startsWith('container:')
    ? engine.index.find(record.hostConfig.NetworkMode.slice('container:'.length))
    : undefined;
  const sandbox = liveSandbox(record, engine.networks);
  const files = joined ? engine.networks.sandbox(joined.id) : sandbox;
  const fileOf = (name: string) => (record.started ? join(joined?.directory ?? directory, name) : '');
  const execs = [...container.execs.keys()];
  return {
    Id: record.id,
    Created: record.createdAt,
    Path: record.path,
    Args: record.args,
    State: renderState(container),
    Image: record.imageId,
    ResolvConfPath: files?.resolvConfPath ?? fileOf('resolv.conf'),
    HostnamePath: files?.hostnamePath ?? fileOf('hostname'),
    HostsPath: files?.hostsPath ?? fileOf('hosts'),
    LogPath: record.started && record.log.type === 'json-file' ? join(directory, `${record.id}-json.log`) : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.graphDriver.name,
    Platform: record.platform,
    MountLabel: '',
    ProcessLabel: '',
    // Until the first start what was asked for, as dockerd shows it.
    AppArmorProfile: (record.started ? profileOf(record, engine.host.appArmor) : askedProfile(record)) ?? '',
    ExecIDs: execs.length > 0 ? execs : null,
    HostConfig: { ...shownHostConfig(record.hostConfig), Links: renderLinks(record, engine) },
    GraphDriver: { Data: record.graphDriver.data, Name: record.graphDriver.name },
    ...(sizes ? { SizeRw: sizes.sizeRw, SizeRootFs: sizes.sizeRootFs } : {}),
    Mounts: shownMounts(record),
    Config: shownConfig(renderConfig(record)),
    NetworkSettings: renderNetworkSettings(container, sandbox, apiVersion),
    // Not in the API's schema; clients leave out what they do not know.
    ...(record.hookPatches?.length
      ? {
          SpecHooks: record.hookPatches.map(({ hook, phase, pointers }) => ({
            Hook: hook,
            Phase: phase,
            Changes: pointers,
          })),
        }
      : {}),
  };
}

/** On the default bridge `/other:/self/alias`; elsewhere links belong to the endpoint. */
function renderLinks({ hostConfig, name }: ContainerRecord, { index, networks }: Engine): string[] | null {
  const { Links, NetworkMode } = hostConfig;
  if (!Links?.length || NetworkMode !== networks.defaultNetwork) return null;
  return Links.map(parseLink).map(
    ({ container, alias }) => `/${index.find(container)?.record.name ?? container}:/${name}/${alias}`,
  );
}

/** With the MAC address that was asked for on the container's own network, as clients before 1.44 know it. */
function renderConfig({ config, hostConfig, networks }: ContainerRecord): ContainerConfig {
  const MacAddress = networks[hostConfig.NetworkMode]?.MacAddress;
  return MacAddress ? { ...config, MacAddress } : config;
}

function renderState(container: Container): Record<string, unknown> {
  const { state, health } = container;
  return {
    Status: state.status,
    Running: isAlive(state) || state.status === 'restarting',
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(health
      ? {
          Health: {
            Status: health.state.status,
            FailingStreak: health.state.failingStreak,
            Log: health.state.log.map(({ start, end, exitCode, output }) => ({
              Start: start,
              End: end,
              ExitCode: exitCode,
              Output: output,
            })),
          },
        }
      : {}),
  };
}

function renderNetworkSettings(
  container: Container,
  sandbox: SandboxState | undefined,
  apiVersion: ApiVersion,
): Record<string, unknown> {
  const { record } = container;
  const networks = renderNetworks(record, sandbox);
  const bridge = sandbox?.endpoints.find(({ networkName }) => networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: sandbox?.sandboxId ?? '',
    SandboxKey: sandbox?.key ?? '',
    Ports: sandbox ? renderPortMap(container, sandbox) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.endpointId ?? '',
    Gateway: bridge?.gateway ?? '',
    GlobalIPv6Address: bridge?.globalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.globalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.ipAddress ?? '',
    IPPrefixLen: bridge?.ipPrefixLen ?? 0,
    IPv6Gateway: bridge?.ipv6Gateway ?? '',
    MacAddress: bridge?.macAddress ?? (record.started ? '' : (record.networks.bridge?.MacAddress ?? '')),
    Networks: apiVersionAtLeast(apiVersion, '1.21') ? networks : {},
  };
}

/** `{"80/tcp":[{HostIp,HostPort}]}`; null for a port that is exposed only. */
export function renderPortMap(container: Container, sandbox: SandboxState): Record<string, unknown> {
  const { config, hostConfig } = container.record;
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const { port, proto } of parseExposedPorts([
    ...Object.keys(config.ExposedPorts ?? {}),
    ...Object.keys(hostConfig.PortBindings ?? {}),
  ]))
    ports[`${port}/${proto}`] = null;
  for (const { port, proto, hostIp, hostPort } of sandbox.ports) {
    const key = `${port}/${proto}`;
    const bound = ports[key] ?? [];
    bound.push({ HostIp: hostIp, HostPort: String(hostPort) });
    ports[key] = bound;
  }
  return ports;
}
