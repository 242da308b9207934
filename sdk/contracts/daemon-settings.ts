/**
 * The daemon's effective settings: dockerd's flags and daemon.json keys after merging, with defaults filled in.
 * Names follow daemon.json in camelCase. A plugin reads what concerns it; only the core writes.
 */
export interface DaemonSettings {
  /** `data-root`, absolute. */
  readonly dataRoot: string;
  /** `exec-root`, absolute: state that a reboot may drop. */
  readonly execRoot: string;
  /** Identity of this data root; names in the kernel carry its first characters so that only ours is collected. */
  readonly engineId: string;
  /** The engine's release as `/version` tells it. */
  readonly engineVersion: string;
  readonly debug: boolean;
  readonly labels: readonly string[];

  readonly bridge: {
    /** `bridge`: name of the default bridge, or "none" for no default bridge. */
    readonly name: string;
    /** `bip`: CIDR address of the default bridge, or undefined to choose. */
    readonly bip?: string;
    readonly fixedCidr?: string;
    readonly defaultGateway?: string;
    /** IPv6 on the default bridge. */
    readonly ipv6: boolean;
    /** As `bip`, for IPv6. */
    readonly bip6?: string;
    readonly fixedCidrV6?: string;
    readonly defaultGatewayV6?: string;
    readonly icc: boolean;
    readonly ipMasq: boolean;
    readonly ipForward: boolean;
    /** `iptables`: whether the daemon manages packet filter rules for IPv4. */
    readonly manageFirewall: boolean;
    /** `ip6tables`: the same for IPv6. */
    readonly manageFirewallV6: boolean;
    /** `firewall-backend`: what rules are written with; nftables when it is not said and the program nft is there. */
    readonly firewallBackend: 'nftables' | 'iptables';
    /** Published ports may be reached by routing to the containers' addresses. */
    readonly allowDirectRouting: boolean;
    /** `bridge-accept-fwmark`: mark or mark/mask of packets that always reach containers; empty = none. */
    readonly acceptFwmark: string;
    /** `ip`: host address for published ports without one. */
    readonly hostIp: string;
    readonly userlandProxy: boolean;
  };
  /** `mtu`, bytes; 0 = the driver's default. */
  readonly mtu: number;
  /** `default-network-opts`: driver → options of new networks that do not set them. */
  readonly defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** `default-address-pools`; empty = dockerd's defaults. */
  readonly defaultAddressPools: readonly { readonly base: string; readonly size: number }[];
  readonly dns: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly hostGatewayIps: readonly string[];

  readonly storageDriver: string;
  /** `storage-opts`: options of the storage driver, each `key=value`. */
  readonly storageOptions: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** Mirrors by the beginning of repository names, host first, such as `ghcr.io/team`. */
  readonly registryMirrorPrefixes: Readonly<Record<string, readonly string[]>>;
  /** `proxies`, else the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY; empty = none. They may carry a password. */
  readonly proxies: { readonly httpProxy: string; readonly httpsProxy: string; readonly noProxy: string };
  readonly maxConcurrentDownloads: number;
  readonly maxConcurrentUploads: number;
  readonly maxDownloadAttempts: number;

  /** `builder`. */
  readonly builder: {
    /** `gc.enabled`. */
    readonly collectGarbage: boolean;
    /** `gc.defaultKeepStorage` and its newer names, bytes; undefined = the builder's own limit. */
    readonly cacheBytes: number | undefined;
    /** `gc.policy`: what was not used for so long is removed until no more than so much is left; empty = the default. */
    readonly cachePolicies: readonly { readonly maximumBytes: number; readonly unusedForMs: number }[];
    /** `entitlements.network-host`, for `RUN --network=host`. */
    readonly allowHostNetwork: boolean;
    /** `entitlements.security-insecure`, for `RUN --security=insecure`. */
    readonly allowInsecure: boolean;
    /** `buildkit`: path of the socket of a BuildKit daemon. */
    readonly buildkit: string | undefined;
    /** Clients that can do either are told to build as clients of BuildKit; `features.buildkit`. */
    readonly prefersBuildkit: boolean;
  };

  readonly logDriver: string;
  readonly logOpts: Readonly<Record<string, string>>;

  readonly defaultRuntime: string;
  /** `runtimes`: name → how to run it. */
  readonly runtimes: Readonly<
    Record<
      string,
      {
        readonly path?: string;
        readonly runtimeArgs?: readonly string[];
        readonly runtimeType?: string;
        readonly options?: unknown;
      }
    >
  >;
  readonly cgroupParent: string;
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly defaultCgroupnsMode: 'host' | 'private';
  readonly defaultIpcMode: 'private' | 'shareable';
  /** Bytes. */
  readonly defaultShmSizeBytes: number;
  readonly defaultUlimits: Readonly<
    Record<string, { readonly name: string; readonly soft: number; readonly hard: number }>
  >;
  readonly init: boolean;
  readonly initPath?: string;
  readonly noNewPrivileges: boolean;
  /** `seccomp-profile`: path of the default profile, "unconfined", or undefined for the built-in one. */
  readonly seccompProfile?: string;
  /** `cdi-spec-dirs`: directories with CDI device files, the later ones over the earlier. Empty = CDI is off. */
  readonly cdiSpecDirs: readonly string[];
  /** `cpu-rt-period`, microseconds, of the group all containers are in; 0 = leave it as it is. */
  readonly cpuRealtimePeriodUs: number;
  /** `cpu-rt-runtime`, microseconds, likewise. */
  readonly cpuRealtimeRuntimeUs: number;
  readonly liveRestore: boolean;
  /** `shutdown-timeout`, seconds; -1 = wait for ever. */
  readonly shutdownTimeoutS: number;
  readonly experimental: boolean;
}
