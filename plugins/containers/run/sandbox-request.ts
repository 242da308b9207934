import type { EndpointRequest, SandboxRequest } from '@gantry/sdk';
import type { EndpointSettings } from '../config/container-config';
import { parseExposedPorts, parsePortBindings } from '../create/ports';
import type { Container } from './container';

/** What the container asks of its network sandbox; undefined when it joins another container's. */
export function sandboxRequest(container: Container): SandboxRequest | undefined {
  const { record, directory } = container;
  const { config, hostConfig } = record;
  if (hostConfig.NetworkMode.startsWith('container:')) return undefined;
  const exposedPorts = parseExposedPorts([
    ...Object.keys(config.ExposedPorts ?? {}),
    ...Object.keys(hostConfig.PortBindings ?? {}),
  ]).filter(
    (port, index, all) => all.findIndex((other) => other.port === port.port && other.proto === port.proto) === index,
  );
  const bound = parsePortBindings(hostConfig.PortBindings);
  const published = hostConfig.PublishAllPorts
    ? exposedPorts
        .filter(({ port, proto }) => !bound.some((binding) => binding.port === port && binding.proto === proto))
        .map(({ port, proto }) => ({ proto, port, hostIp: '', hostPort: 0, hostPortEnd: 0 }))
    : [];
  return {
    containerId: record.id,
    containerName: record.name,
    kind: hostConfig.NetworkMode === 'host' ? 'host' : 'private',
    hostname: config.Hostname,
    domainname: config.Domainname,
    endpoints: Object.entries(record.networks).map(([network, settings]) =>
      endpointRequest(network, settings, hostConfig.Links ?? []),
    ),
    exposedPorts,
    portBindings: [...bound, ...published],
    dns: hostConfig.Dns ?? [],
    dnsSearch: hostConfig.DnsSearch ?? [],
    dnsOptions: hostConfig.DnsOptions ?? [],
    extraHosts: hostConfig.ExtraHosts ?? [],
    sysctls: hostConfig.Sysctls ?? {},
    filesDir: directory,
  };
}

export function endpointRequest(
  network: string,
  settings: EndpointSettings,
  links: readonly string[],
): EndpointRequest {
  return {
    network,
    aliases: settings.Aliases ?? [],
    links: [...(settings.Links ?? []), ...links],
    ...(settings.IPAMConfig?.IPv4Address ? { ipv4Address: settings.IPAMConfig.IPv4Address } : {}),
    ...(settings.IPAMConfig?.IPv6Address ? { ipv6Address: settings.IPAMConfig.IPv6Address } : {}),
    ...(settings.IPAMConfig?.LinkLocalIPs?.length ? { linkLocalIps: settings.IPAMConfig.LinkLocalIPs } : {}),
    ...(settings.MacAddress ? { macAddress: settings.MacAddress } : {}),
    ...(settings.DriverOpts ? { driverOpts: settings.DriverOpts } : {}),
    ...(settings.GwPriority ? { gwPriority: settings.GwPriority } : {}),
  };
}
