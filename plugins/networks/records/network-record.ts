/** Pool of the user's wish: `--subnet`, `--ip-range`, `--gateway`, `--aux-address`. */
export interface IpamConfig {
  readonly subnet: string;
  readonly ipRange: string;
  readonly gateway: string;
  readonly auxAddresses: Readonly<Record<string, string>>;
}

/** A pool a network holds. */
export interface NetworkPool {
  readonly version: 4 | 6;
  readonly addressSpace: string;
  readonly poolId: string;
  /** CIDR. */
  readonly pool: string;
  /** CIDR or empty. */
  readonly subPool: string;
  /** Plain address in CIDR form with the pool's prefix length, or empty. */
  readonly gateway: string;
  /** Name → plain IP. */
  readonly auxAddresses: Readonly<Record<string, string>>;
}

/** A network as it is kept on disk. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: 'local' | 'global';
  /** RFC 3339 with nanoseconds. */
  readonly createdAt: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly configOnly: boolean;
  /** Name of the config-only network the settings came from, or empty. */
  readonly configFrom: string;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipam: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    readonly config: readonly IpamConfig[];
  };
  readonly pools: readonly NetworkPool[];
}

/** Networks every engine has; their names cannot be taken or removed. */
export const predefinedNames: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);
