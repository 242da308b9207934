import {
  type Decoded,
  flag,
  integer,
  listOf,
  mapOf,
  nullable,
  optional,
  struct,
  text,
  words,
} from '@gantry/sdk/decode';

/*
 * What a client asks of a container, as documents of the Engine API. They are kept in the API's own field names
 * because inspect and commit give them back as they are, and a record must not lose a field we do not act on.
 */

const empty = struct({});

export const healthcheckDocument = struct({
  Test: optional(listOf(text)),
  Interval: optional(integer),
  Timeout: optional(integer),
  StartPeriod: optional(integer),
  StartInterval: optional(integer),
  Retries: optional(integer),
});
/** Durations in nanoseconds; zero or absent = inherit. */
export type Healthcheck = Decoded<typeof healthcheckDocument>;

/** @see Engine API, ContainerConfig */
export const configDocument = struct({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: optional(mapOf(empty)),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: listOf(text),
  Cmd: nullable(words),
  Healthcheck: optional(healthcheckDocument),
  ArgsEscaped: optional(flag),
  Image: text,
  Volumes: nullable(mapOf(empty)),
  WorkingDir: text,
  Entrypoint: nullable(words),
  NetworkDisabled: optional(flag),
  MacAddress: optional(text),
  OnBuild: nullable(listOf(text)),
  Labels: mapOf(text),
  StopSignal: optional(text),
  StopTimeout: optional(integer),
  Shell: optional(words),
});
export type ContainerConfig = Decoded<typeof configDocument>;

export const portBindingDocument = struct({ HostIp: text, HostPort: text });

export const mountDocument = struct({
  Type: text,
  Source: optional(text),
  Target: text,
  ReadOnly: optional(flag),
  Consistency: optional(text),
  BindOptions: optional(
    struct({
      Propagation: optional(text),
      NonRecursive: optional(flag),
      CreateMountpoint: optional(flag),
      ReadOnlyNonRecursive: optional(flag),
      ReadOnlyForceRecursive: optional(flag),
    }),
  ),
  VolumeOptions: optional(
    struct({
      NoCopy: optional(flag),
      Labels: optional(mapOf(text)),
      DriverConfig: optional(struct({ Name: optional(text), Options: optional(mapOf(text)) })),
      Subpath: optional(text),
    }),
  ),
  ImageOptions: optional(struct({ Subpath: optional(text) })),
  TmpfsOptions: optional(
    struct({ SizeBytes: optional(integer), Mode: optional(integer), Options: optional(listOf(listOf(text))) }),
  ),
  ClusterOptions: optional(empty),
});
export type MountRequest = Decoded<typeof mountDocument>;

const throttle = struct({ Path: text, Rate: integer });
const throttles = nullable(listOf(throttle));

/** The limits that `update` may change too. @see Engine API, Resources */
const resourceFields = {
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: nullable(listOf(struct({ Path: text, Weight: integer }))),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: nullable(listOf(struct({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text }))),
  DeviceCgroupRules: nullable(listOf(text)),
  DeviceRequests: nullable(
    listOf(
      struct({
        Driver: text,
        Count: integer,
        DeviceIDs: nullable(listOf(text)),
        Capabilities: nullable(listOf(listOf(text))),
        Options: nullable(mapOf(text)),
      }),
    ),
  ),
  KernelMemory: optional(integer),
  KernelMemoryTCP: optional(integer),
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: nullable(integer),
  OomKillDisable: nullable(flag),
  PidsLimit: nullable(integer),
  Ulimits: nullable(listOf(struct({ Name: text, Hard: integer, Soft: integer }))),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
};

export const restartPolicyDocument = struct({ Name: text, MaximumRetryCount: integer });
export type RestartPolicy = Decoded<typeof restartPolicyDocument>;

/** @see Engine API, HostConfig */
export const hostConfigDocument = struct({
  Binds: nullable(listOf(text)),
  ContainerIDFile: text,
  LogConfig: struct({ Type: text, Config: mapOf(text) }),
  NetworkMode: text,
  PortBindings: nullable(mapOf(listOf(portBindingDocument))),
  RestartPolicy: restartPolicyDocument,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: nullable(listOf(text)),
  ConsoleSize: optional(listOf(integer)),
  Annotations: optional(mapOf(text)),
  CapAdd: nullable(words),
  CapDrop: nullable(words),
  CgroupnsMode: text,
  Dns: nullable(listOf(text)),
  DnsOptions: nullable(listOf(text)),
  DnsSearch: nullable(listOf(text)),
  ExtraHosts: nullable(listOf(text)),
  GroupAdd: nullable(listOf(text)),
  IpcMode: text,
  Cgroup: text,
  Links: nullable(listOf(text)),
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: nullable(listOf(text)),
  StorageOpt: optional(mapOf(text)),
  Tmpfs: optional(mapOf(text)),
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: optional(mapOf(text)),
  Runtime: text,
  Isolation: text,
  ...resourceFields,
  Mounts: optional(listOf(mountDocument)),
  MaskedPaths: nullable(listOf(text)),
  ReadonlyPaths: nullable(listOf(text)),
  Init: optional(flag),
});
export type HostConfig = Decoded<typeof hostConfigDocument>;

export const updateDocument = struct({
  ...resourceFields,
  Init: nullable(flag),
  RestartPolicy: restartPolicyDocument,
});
export type UpdateRequest = Decoded<typeof updateDocument>;

/** @see Engine API, EndpointSettings (the part a client may set) */
export const endpointDocument = struct({
  IPAMConfig: optional(
    struct({ IPv4Address: optional(text), IPv6Address: optional(text), LinkLocalIPs: optional(listOf(text)) }),
  ),
  Links: optional(listOf(text)),
  Aliases: optional(listOf(text)),
  MacAddress: optional(text),
  DriverOpts: optional(mapOf(text)),
  GwPriority: optional(integer),
});
export type EndpointSettings = Decoded<typeof endpointDocument>;

export const networkingConfigDocument = struct({ EndpointsConfig: mapOf(endpointDocument) });
