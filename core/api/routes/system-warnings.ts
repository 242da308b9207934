import type { CgroupFacts } from './system-facts';

/** What an operator should know about this host; `docker info` prints each on a line. */
export function systemWarnings(
  cgroup: CgroupFacts,
  forwardsIpv4: boolean,
  exposedAddresses: readonly string[],
): string[] {
  const missing: readonly (readonly [boolean, string])[] = [
    [cgroup.memoryLimit, 'No memory limit support'],
    [cgroup.swapLimit, 'No swap limit support'],
    [cgroup.cpuCfs, 'No cpu cfs quota support'],
    [cgroup.cpuCfs, 'No cpu cfs period support'],
    [cgroup.cpuShares, 'No cpu shares support'],
    [cgroup.cpuSet, 'No cpuset support'],
    [cgroup.pidsLimit, 'No pids limit support'],
    [forwardsIpv4, 'IPv4 forwarding is disabled'],
  ];
  return [
    ...missing.filter(([present]) => !present).map(([, text]) => `WARNING: ${text}`),
    ...exposedAddresses.map(exposure),
  ];
}

function exposure(url: string): string {
  const lack = url.startsWith('https:') ? 'TLS client verification' : 'encryption';
  return `WARNING: API is accessible on ${url} without ${lack}.\n         Access to the remote API is equivalent to root access on the host: serve a unix socket, or demand\n         client certificates with "tlsverify".`;
}
