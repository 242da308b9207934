import type { DaemonSettings } from '@gantry/sdk';
import { formatAddress, formatCidr, overlaps, parseCidr } from '../address/cidr';
import type { IpamConfig } from '../records/network-record';
import type { NetworkSpec } from './network-registry';

const none = {
  internal: false,
  attachable: false,
  configOnly: false,
  configFrom: '',
  enableIPv4: true,
  enableIPv6: false,
  options: {},
  labels: {},
  ipam: { driver: 'null', options: {}, config: [] },
};

export const hostNetwork: NetworkSpec = { ...none, name: 'host', driver: 'host' };
export const noneNetwork: NetworkSpec = { ...none, name: 'none', driver: 'null' };

/**
 * The default bridge as the settings want it.
 * @param present addresses (CIDR) the interface has already; the first is kept when `bip` does not say otherwise
 */
export function defaultBridge(settings: DaemonSettings, present: readonly string[]): NetworkSpec {
  const { bridge } = settings;
  const config = poolOf({
    address: bridge.bip,
    present: present.filter((cidr) => !cidr.includes(':')),
    range: bridge.fixedCidr,
    gateway: bridge.defaultGateway ? { DefaultGatewayIPv4: bridge.defaultGateway } : {},
  });
  if (bridge.ipv6)
    config.push(
      ...poolOf({
        address: bridge.bip6,
        present: present.filter((cidr) => cidr.includes(':')),
        range: bridge.fixedCidrV6,
        gateway: bridge.defaultGatewayV6 ? { DefaultGatewayIPv6: bridge.defaultGatewayV6 } : {},
      }),
    );
  return {
    ...none,
    name: 'bridge',
    driver: 'bridge',
    enableIPv6: bridge.ipv6,
    ipam: { driver: 'default', options: {}, config },
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(bridge.icc),
      'com.docker.network.bridge.enable_ip_masquerade': String(bridge.ipMasq),
      'com.docker.network.bridge.host_binding_ipv4': bridge.hostIp || '0.0.0.0',
      'com.docker.network.bridge.name': bridge.name,
      'com.docker.network.driver.mtu': String(settings.mtu || 1500),
    },
  };
}

/** One family's pool: the bridge's own address decides, else the range is all there is. */
function poolOf(wishes: {
  readonly address: string | undefined;
  readonly present: readonly string[];
  readonly range: string | undefined;
  readonly gateway: Readonly<Record<string, string>>;
}): IpamConfig[] {
  const range = wishes.range === undefined ? undefined : parseCidr(wishes.range).block;
  const fits = (cidr: string) => range === undefined || overlaps(parseCidr(cidr).block, range);
  const address = wishes.address ?? wishes.present.find(fits);
  if (address !== undefined) {
    const { address: own, block } = parseCidr(address);
    const inner = range !== undefined && formatCidr(range) !== formatCidr(block) ? formatCidr(range) : '';
    return [{ subnet: formatCidr(block), ipRange: inner, gateway: formatAddress(own), auxAddresses: wishes.gateway }];
  }
  if (range === undefined) return [];
  return [{ subnet: formatCidr(range), ipRange: '', gateway: '', auxAddresses: wishes.gateway }];
}
