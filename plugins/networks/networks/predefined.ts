import type { DaemonSettings } from '@gantry/sdk';
import { formatAddress, formatCidr, parseCidr } from '../address/cidr';
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
  const address = bridge.bip ?? present[0];
  const config: IpamConfig[] = [];
  if (address !== undefined) {
    const { address: own, block } = parseCidr(address);
    config.push({
      subnet: formatCidr(block),
      ipRange: bridge.fixedCidr ?? '',
      gateway: formatAddress(own),
      auxAddresses: bridge.defaultGateway ? { DefaultGatewayIPv4: bridge.defaultGateway } : {},
    });
  } else if (bridge.fixedCidr !== undefined) {
    const { block } = parseCidr(bridge.fixedCidr);
    config.push({ subnet: formatCidr(block), ipRange: '', gateway: '', auxAddresses: {} });
  }
  return {
    ...none,
    name: 'bridge',
    driver: 'bridge',
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
