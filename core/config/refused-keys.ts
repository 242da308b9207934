/** A key or flag that dockerd 28 has and this daemon does not serve: why, and what to do instead. */
export interface Refusal {
  /** Names in daemon.json; empty when it is a flag only. */
  readonly keys: readonly string[];
  readonly flags: readonly string[];
  /** How the flag takes its value, so that the rest of the command line is still understood. */
  readonly takes: 'switch' | 'one';
  readonly reason: string;
}

const both = (key: string, flag: string, takes: 'switch' | 'one', reason: string): Refusal => ({
  keys: [key],
  flags: [flag],
  takes,
  reason,
});
const same = (name: string, takes: 'switch' | 'one', reason: string): Refusal => both(name, name, takes, reason);
const keyOnly = (name: string, reason: string): Refusal => ({ keys: [name], flags: [], takes: 'one', reason });

const swarm = 'cluster mode is not part of this daemon';
const removed = 'dockerd has removed it; take it out';

export const refusals: readonly Refusal[] = [
  same('cri-containerd', 'switch', 'it concerns docker’s use of containerd; containers run under their own shims here'),
  same('apparmor-profile', 'one', 'containers get docker-default; choose another with --security-opt apparmor=NAME'),
  same('userland-proxy-path', 'one', 'the userland proxy is built in; switch it with "userland-proxy"'),
  same('network-control-plane-mtu', 'one', swarm),
  same('network-diagnostic-port', 'one', 'there is no network diagnostic server'),
  same('swarm-default-advertise-addr', 'one', swarm),
  keyOnly('swarm-raft-heartbeat-tick', swarm),
  keyOnly('swarm-raft-election-tick', swarm),
  both('node-generic-resources', 'node-generic-resource', 'one', swarm),
  {
    keys: ['http-proxy', 'https-proxy', 'no-proxy'],
    flags: ['http-proxy', 'https-proxy', 'no-proxy'],
    takes: 'one',
    reason: 'use "proxies" in daemon.json, or the environment variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY',
  },
  same('userns-remap', 'one', 'user namespaces are not supported'),
  same('selinux-enabled', 'switch', 'SELinux labels are not supported'),
  same('rootless', 'switch', 'the daemon needs root'),
  keyOnly('resolv-conf', 'the resolver configuration of the host is /etc/resolv.conf'),
  keyOnly('default-init', 'use "init-path"'),
  keyOnly('host-gateway-ip', 'use "host-gateway-ips", a list'),
  keyOnly('min-api-version', 'API versions from 1.24 on are always served'),
  same('api-cors-header', 'one', 'a browser must not reach the API; use a reverse proxy'),
  keyOnly('api-enable-cors', removed),
  keyOnly('deprecated-key-path', removed),
  same('allow-nondistributable-artifacts', 'one', removed),
  { keys: ['graph'], flags: ['graph'], takes: 'one', reason: 'use "data-root"' },
  { keys: [], flags: ['restart'], takes: 'switch', reason: 'use restart policies of containers' },
  ...['cluster-store', 'cluster-advertise', 'cluster-store-opts'].map((name) => keyOnly(name, removed)),
  keyOnly('disable-legacy-registry', removed),
];

/** Switched off or empty: what is asked for is what happens anyway, so that common files of dockerd are taken. */
export function asksForNothing(value: unknown): boolean {
  if (value === false || value === null || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(asksForNothing);
}

export const refusedKey = (name: string): Refusal | undefined => refusals.find((entry) => entry.keys.includes(name));
export const refusedFlag = (name: string): Refusal | undefined => refusals.find((entry) => entry.flags.includes(name));
