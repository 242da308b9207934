import { readFile } from 'node:fs/promises';
import type { DaemonSettings, DriverSet, NetworkDriver, SystemInfo } from '@gantry/sdk';

/** The network part of GET /info. */
export function networkInfo(drivers: DriverSet<NetworkDriver>, settings: DaemonSettings): SystemInfo {
  return {
    async info() {
      const forwarding = (await flag('net/ipv4/ip_forward')) ?? false;
      return {
        IPv4Forwarding: forwarding,
        Plugins: { Network: drivers.names() },
        DefaultAddressPools:
          settings.defaultAddressPools.length > 0
            ? settings.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size }))
            : undefined,
        FirewallBackend:
          settings.bridge.manageFirewall || settings.bridge.manageFirewallV6
            ? { Driver: settings.bridge.firewallBackend }
            : undefined,
        ...(forwarding ? {} : { Warnings: ['WARNING: IPv4 forwarding is disabled'] }),
      };
    },
  };
}

async function flag(path: string): Promise<boolean | undefined> {
  try {
    return (await readFile(`/proc/sys/${path}`, 'utf8')).trim() === '1';
  } catch {
    return undefined;
  }
}
