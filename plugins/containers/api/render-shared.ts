import type { EndpointState, SandboxState } from '@gantry/sdk';
import type { EndpointSettings } from '../config/container-config';
import { cleanPath } from '../create/mounts';
import type { ContainerRecord, MountPoint } from '../records/container-record';
import { isAlive } from '../run/state';

/** `EndpointSettings` by network name: what was asked, and what came of it while it runs. */
export function renderNetworks(record: ContainerRecord, sandbox: SandboxState | undefined): Record<string, unknown> {
  const live = (sandbox?.endpoints ?? []).map((endpoint) => [endpoint.networkName, endpoint] as const);
  const before = Object.entries(record.lastEndpoints ?? {});
  const out: Record<string, unknown> = {};
  for (const [network, asked] of Object.entries(record.networks)) {
    const [name, state] = called(network, live) ?? [];
    const [nameBefore, last] = called(network, before) ?? [];
    out[name ?? nameBefore ?? network] = renderEndpoint(asked, state, last);
  }
  return out;
}

/** What stands under a network's name, or belongs to the id that begins so. */
function called<T extends { readonly networkId: string }>(
  reference: string,
  endpoints: readonly (readonly [name: string, endpoint: T])[],
): readonly [name: string, endpoint: T] | undefined {
  const named = endpoints.find(([name]) => name === reference);
  if (named !== undefined || !/^[0-9a-f]+$/.test(reference)) return named;
  return endpoints.find(([, { networkId }]) => networkId.startsWith(reference));
}

function renderEndpoint(
  asked: EndpointSettings,
  state: EndpointState | undefined,
  last: Pick<EndpointState, 'networkId' | 'dnsNames'> | undefined,
): Record<string, unknown> {
  const { networkId = '', dnsNames = [] } = state ?? last ?? {};
  const ipam = asked.IPAMConfig;
  const cleaned = ipam && Object.fromEntries(Object.entries(ipam).filter(([, value]) => value !== undefined));
  return {
    IPAMConfig: cleaned ?? null,
    Links: asked.Links ?? null,
    Aliases: asked.Aliases ?? null,
    MacAddress: state?.macAddress ?? asked.MacAddress ?? '',
    DriverOpts: asked.DriverOpts ?? null,
    GwPriority: asked.GwPriority ?? 0,
    NetworkID: networkId,
    EndpointID: state?.endpointId ?? '',
    Gateway: state?.gateway ?? '',
    IPAddress: state?.ipAddress ?? '',
    IPPrefixLen: state?.ipPrefixLen ?? 0,
    IPv6Gateway: state?.ipv6Gateway ?? '',
    GlobalIPv6Address: state?.globalIPv6Address ?? '',
    GlobalIPv6PrefixLen: state?.globalIPv6PrefixLen ?? 0,
    DNSNames: dnsNames.length > 0 ? dnsNames : null,
  };
}

/** All but the temporary file systems of `--tmpfs`, which HostConfig.Tmpfs tells. */
export function shownMounts({ mounts, hostConfig }: ContainerRecord): Record<string, unknown>[] {
  const listed = new Set((hostConfig.Mounts ?? []).map(({ Target }) => cleanPath(Target)));
  return mounts.filter(({ type, destination }) => type !== 'tmpfs' || listed.has(destination)).map(renderMount);
}

function renderMount(mount: MountPoint): Record<string, unknown> {
  if (mount.type === 'tmpfs')
    return {
      Type: 'tmpfs',
      Source: '',
      Destination: mount.destination,
      Mode: '',
      RW: mount.readWrite,
      Propagation: '',
    };
  const common = {
    Destination: mount.destination,
    Mode: mount.mode,
    RW: mount.readWrite,
    Propagation: mount.propagation,
  };
  if (mount.type === 'image') return { Type: 'image', Name: mount.source, Source: mount.source, ...common };
  if (mount.type === 'bind') return { Type: 'bind', Source: mount.source, ...common };
  return { Type: 'volume', Name: mount.name, Source: mount.source, Driver: mount.driver, ...common };
}

/** The sandbox of a container that runs. */
export function liveSandbox(
  record: ContainerRecord,
  networks: { sandbox(id: string): SandboxState | undefined },
): SandboxState | undefined {
  return isAlive(record.state) ? networks.sandbox(record.id) : undefined;
}
