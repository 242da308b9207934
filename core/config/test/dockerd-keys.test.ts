import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownFlags, readCommandLine } from '../command-line';
import { keyByFlag, knownKeys } from '../known-keys';
import { ConfigurationError } from '../problem';
import { readConfiguration } from '../read-configuration';
import { refusals, refusedFlag, refusedKey } from '../refused-keys';

/** @see https://docs.docker.com/reference/cli/dockerd */
const dockerdFlags = `add-runtime allow-direct-routing authorization-plugin bip bip6 bridge bridge-accept-fwmark
  cdi-spec-dir cgroup-parent config-file containerd containerd-namespace containerd-plugins-namespace cpu-rt-period
  cpu-rt-runtime cri-containerd data-root debug default-address-pool default-cgroupns-mode default-gateway
  default-gateway-v6 default-ipc-mode default-network-opt default-runtime default-shm-size default-ulimit dns dns-opt
  dns-search exec-opt exec-root experimental feature firewall-backend fixed-cidr fixed-cidr-v6 group help host
  host-gateway-ip http-proxy https-proxy icc init init-path insecure-registry ip ip-forward ip-forward-no-drop ip-masq
  ip6tables iptables ipv6 label live-restore log-driver log-format log-level log-opt max-concurrent-downloads
  max-concurrent-uploads max-download-attempts metrics-addr mtu network-control-plane-mtu no-new-privileges no-proxy
  node-generic-resource pidfile raw-logs registry-mirror rootless seccomp-profile selinux-enabled shutdown-timeout
  storage-driver storage-opt swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify userland-proxy
  userland-proxy-path userns-remap validate version`.split(/\s+/);

/** Keys of daemon.json that are no flags under the same name. */
const dockerdKeys = `authorization-plugins builder cdi-spec-dirs containerd-plugin-namespace default-address-pools
  default-network-opts default-ulimits dns-opts exec-opts features hosts host-gateway-ip host-gateway-ips
  insecure-registries labels log-opts network-diagnostic-port node-generic-resources oom-score-adjust proxies
  registry-mirrors resolv-conf runtimes storage-opts swarm-raft-election-tick swarm-raft-heartbeat-tick`.split(/\s+/);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function problemsOf(content: unknown, ...flags: string[]): readonly { readonly message: string }[] {
  const file = join(folder, 'daemon.json');
  writeFileSync(file, JSON.stringify(content));
  try {
    readConfiguration(readCommandLine(['--config-file', file, ...flags]));
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

test.each(dockerdFlags)('the flag --%s is served or refused with a reason', (name) => {
  expect(keyByFlag.has(name) || Object.hasOwn(ownFlags, name) || refusedFlag(name) !== undefined).toBe(true);
});

test.each(dockerdKeys)('the key %s is served or refused with a reason', (name) => {
  expect(Object.hasOwn(knownKeys, name) || refusedKey(name) !== undefined).toBe(true);
});

test('nothing is both served and refused', () => {
  for (const { keys, flags } of refusals) {
    expect(keys.filter((name) => Object.hasOwn(knownKeys, name))).toEqual([]);
    expect(flags.filter((name) => keyByFlag.has(name))).toEqual([]);
  }
});

test('what is refused is taken when it asks for nothing', () => {
  const content = { rootless: false, 'userns-remap': '', 'storage-opts': [], features: {}, 'selinux-enabled': false };
  expect(problemsOf(content, '--rootless=false')).toEqual([]);
  expect(problemsOf({ rootless: true }, '--rootless')).toHaveLength(2);
});

test('the networking keys of dockerd 28 are read', () => {
  const sound = {
    ipv6: true,
    bip6: 'fd00:1::1/64',
    'fixed-cidr-v6': 'fd00:1::/80',
    'default-gateway-v6': '',
    'firewall-backend': 'nftables',
    'bridge-accept-fwmark': '0x1/0x3',
    'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1450' } },
  };
  expect(problemsOf(sound)).toEqual([]);
  expect(problemsOf({ 'firewall-backend': 'iptables' })).toEqual([]);
  expect(problemsOf({}, '--default-network-opt=bridge=com.docker.network.driver.mtu=1450')).toEqual([]);
  const bad = {
    'firewall-backend': 'ipchains',
    'bridge-accept-fwmark': 'x',
    'default-network-opts': { bridge: { a: 1 } },
  };
  const said = problemsOf(bad, '--default-network-opt=bridge').map(({ message }) => message);
  expect(said.join('\n')).toMatch(
    /"ipchains" is no firewall backend.*invalid firewall mark\/mask 'x'.*expected a string, got 1/s,
  );
});

test.each([
  [{ 'docker.io': ['ftp://x'] }, 'unsupported scheme'],
  [{ 'docker.io': ['https://x/?a=b'] }, 'query or fragment'],
  [{ 'docker.io': 'https://x' }, 'expected an array'],
  [{ library: ['https://x'] }, '"library" does not begin an image name'],
  [{ 'docker.io/': ['https://x'] }, '"docker.io/" does not begin an image name'],
])('a table of mirrors that makes no sense is refused: %j', (table, message) => {
  expect(problemsOf({ 'registry-mirror-prefixes': table })).toEqual([
    expect.objectContaining({ message: expect.stringContaining(message) }),
  ]);
  expect(
    problemsOf({ 'registry-mirror-prefixes': { 'localhost:5000/team': ['http://mirror:5000/v2/cache'] } }),
  ).toEqual([]);
});
