import { isIP } from 'node:net';
import { invalidParameter } from '@gantry/sdk';
import type { ContainerConfig, HostConfig } from '../config/container-config';

const fail = (what: string) => invalidParameter(`conflicting options: ${what}`);

/**
 * @param asked the ports the client wants exposed. Those of the image do no harm: who joins another container's network
 * has none of its own.
 * @throws invalid-parameter  what the network mode, names and addresses of a request contradict
 */
export function validateNetworkOptions(
  config: ContainerConfig,
  host: HostConfig,
  asked: ContainerConfig['ExposedPorts'] = config.ExposedPorts,
): void {
  const mode = host.NetworkMode;
  const joins = mode === 'container' || mode.startsWith('container:');
  if (joins && mode.split(':')[1] === undefined)
    throw invalidParameter('invalid network mode: invalid container format container:<name|id>');
  if (mode === 'container:')
    throw invalidParameter('invalid network mode: invalid container format container:<name|id>');
  if (host.UTSMode === 'host' && config.Hostname !== '') throw fail('hostname and the UTS mode');
  if (joins && config.Hostname !== '') throw fail('hostname and the network mode');
  if ((joins || mode === 'host') && (host.Links?.length ?? 0) > 0)
    throw fail(
      `${mode === 'host' ? 'host type networking' : 'container type network'} can't be used with links. This would result in undefined behavior`,
    );
  if ((joins || mode === 'host') && config.MacAddress) throw fail('mac-address and the network mode');
  validateNames(host);
  if (!joins) return;
  if (host.Dns?.length) throw fail('dns and the network mode');
  if ((host.ExtraHosts?.length ?? 0) > 0) throw fail('custom host-to-IP mapping and the network mode');
  if (Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts)
    throw fail('port publishing and the container type network mode');
  if (Object.keys(asked ?? {}).length > 0) throw fail('port exposing and the container type network mode');
}

function validateNames(host: HostConfig): void {
  for (const entry of host.ExtraHosts ?? []) {
    const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
    if (name === undefined || address === undefined) throw invalidParameter(`bad format for add-host: "${entry}"`);
    if (address !== 'host-gateway' && isIP(bare(address)) === 0)
      throw invalidParameter(`invalid IP address in add-host: "${address}"`);
  }
  for (const address of host.Dns ?? [])
    if (isIP(address.split('%', 1)[0] ?? '') === 0)
      throw invalidParameter(`HostConfig.Dns: IP address is not correctly formatted: ${address}`);
  for (const link of host.Links ?? []) parseLink(link);
}

const bare = (address: string): string => /^\[(.*)\]$/.exec(address)?.[1] ?? address;

/** `container` or `container:alias`. @throws invalid-parameter */
export function parseLink(link: string): { readonly container: string; readonly alias: string } {
  if (link === '') throw invalidParameter('empty string specified for links');
  const parts = link.split(':');
  if (parts.length > 2 || parts[0] === '') throw invalidParameter(`bad format for links: ${link}`);
  const container = (parts[0] ?? '').replace(/^\//, '');
  const alias = parts[1]?.split('/').at(-1) || container;
  return { container, alias };
}
