import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { DaemonSettings } from '@gantry/sdk';
import { daemonVersion } from '../version';
import type { ConfigValues } from './known-keys';

/** What plugins are shown of the configuration. */
export function toDaemonSettings(values: ConfigValues, engineId: string): DaemonSettings {
  return {
    dataRoot: values['data-root'],
    execRoot: values['exec-root'],
    engineId,
    engineVersion: daemonVersion.version,
    debug: values.debug,
    labels: values.labels,
    bridge: Object.freeze({
      name: values.bridge === '' ? 'docker0' : values.bridge,
      bip: values.bip,
      fixedCidr: values['fixed-cidr'],
      defaultGateway: values['default-gateway'],
      ipv6: values.ipv6,
      bip6: values.bip6,
      fixedCidrV6: values['fixed-cidr-v6'],
      defaultGatewayV6: values['default-gateway-v6'],
      icc: values.icc,
      ipMasq: values['ip-masq'],
      ipForward: values['ip-forward'],
      manageFirewall: values.iptables,
      manageFirewallV6: values.ip6tables,
      firewallBackend: values['firewall-backend'] || usableFirewall(),
      allowDirectRouting: values['allow-direct-routing'],
      acceptFwmark: values['bridge-accept-fwmark'],
      hostIp: values.ip,
      userlandProxy: values['userland-proxy'],
    }),
    mtu: values.mtu,
    defaultNetworkOptions: values['default-network-opts'],
    defaultAddressPools: values['default-address-pools'],
    dns: values.dns,
    dnsOptions: values['dns-opts'],
    dnsSearch: values['dns-search'],
    hostGatewayIps: values['host-gateway-ips'],
    storageDriver: values['storage-driver'] || 'overlay2',
    storageOptions: values['storage-opts'],
    insecureRegistries: values['insecure-registries'],
    registryMirrors: values['registry-mirrors'],
    registryMirrorPrefixes: values['registry-mirror-prefixes'],
    proxies: {
      httpProxy: values.proxies['http-proxy'] ?? variable('HTTP_PROXY'),
      httpsProxy: values.proxies['https-proxy'] ?? variable('HTTPS_PROXY'),
      noProxy: values.proxies['no-proxy'] ?? variable('NO_PROXY'),
    },
    maxConcurrentDownloads: values['max-concurrent-downloads'],
    maxConcurrentUploads: values['max-concurrent-uploads'],
    maxDownloadAttempts: values['max-download-attempts'],
    builder: { ...values.builder, prefersBuildkit: values.features.buildkit !== false },
    logDriver: values['log-driver'],
    logOpts: values['log-opts'],
    defaultRuntime: values['default-runtime'],
    runtimes: values.runtimes,
    cgroupParent: values['cgroup-parent'],
    cgroupDriver: 'cgroupfs',
    defaultCgroupnsMode: values['default-cgroupns-mode'] ?? (onCgroupV2() ? 'private' : 'host'),
    defaultIpcMode: values['default-ipc-mode'],
    defaultShmSizeBytes: values['default-shm-size'],
    defaultUlimits: Object.fromEntries(
      Object.entries(values['default-ulimits']).map(([name, limit]) => [
        name,
        { name: limit.Name, soft: limit.Soft, hard: limit.Hard },
      ]),
    ),
    init: values.init,
    initPath: values['init-path'],
    noNewPrivileges: values['no-new-privileges'],
    seccompProfile: values['seccomp-profile'] === 'builtin' ? undefined : values['seccomp-profile'] || undefined,
    cdiSpecDirs: values.features.cdi === false ? [] : values['cdi-spec-dirs'].filter((directory) => directory !== ''),
    cpuRealtimePeriodUs: values['cpu-rt-period'],
    cpuRealtimeRuntimeUs: values['cpu-rt-runtime'],
    liveRestore: values['live-restore'],
    shutdownTimeoutS: values['shutdown-timeout'],
    experimental: values.experimental,
  };
}

/** Only the unified hierarchy has this file at its root. */
const onCgroupV2 = () => existsSync('/sys/fs/cgroup/cgroup.controllers');

/** What rules can be written with on this machine; without any of them the plugin says what to install. */
function usableFirewall(): 'nftables' | 'iptables' {
  const isThere = (program: string) =>
    (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
  return !isThere('nft') && isThere('iptables') ? 'iptables' : 'nftables';
}

const variable = (name: string) => process.env[name] || process.env[name.toLowerCase()] || '';
