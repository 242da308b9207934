import { type RequestField, refused, works } from './request-field';

/*
 * Every field a client may send to create, update, exec and exec start, as the schema of API 1.51 has them, with the
 * test that shows it or the error that refuses it. Lists are written `[]`, maps `{}`. Fields of HostConfig that the
 * schema shares with update are under both.
 */

const PROCESS = 'api/fields-process.test.ts';
const LIMITS = 'api/fields-limits.test.ts';
const MOUNTS = 'api/fields-mounts.test.ts';
const DEVICES = 'api/fields-devices.test.ts';
const NETWORK = 'api/fields-network.test.ts';
const RUN = 'cli/run.test.ts';

const config: RequestField[] = [
  ...works(
    'Config.',
    'Hostname Domainname User Env Cmd Entrypoint WorkingDir',
    PROCESS,
    'a process finds the names, user, folder and environment that were asked for',
  ),
  ...works(
    'Config.',
    'AttachStdin AttachStdout AttachStderr OnBuild Shell ArgsEscaped Labels',
    PROCESS,
    'what only describes is kept for inspect and commit',
  ),
  ...works('Config.', 'Tty', RUN, 'run -it has a terminal that takes keys and follows the size of the window'),
  ...works(
    'Config.',
    'OpenStdin StdinOnce',
    RUN,
    'a pipe into run -i ends standard input and still delivers the output',
  ),
  ...works('Config.', 'Image', RUN, 'run --rm prints what the command says and leaves no container'),
  ...works(
    'Config.',
    'ExposedPorts{}',
    NETWORK,
    'every exposed port can be published at once, and single ones at an address',
  ),
  ...works(
    'Config.Healthcheck.',
    'Test Interval Timeout Retries StartPeriod StartInterval',
    PROCESS,
    'health checks keep their intervals, start period and retries',
  ),
  ...works('Config.', 'Volumes{}', MOUNTS, 'volumes of another container come along, read-only when told'),
  ...works('Config.', 'NetworkDisabled', PROCESS, 'a container without network has the loopback only'),
  ...works(
    'Config.',
    'MacAddress',
    NETWORK,
    'the MAC address of the container is that of its main endpoint, and clients are told the new way',
  ),
  ...works('Config.', 'StopSignal StopTimeout', PROCESS, 'stop sends the signal and waits the time of the container'),
];

const host = (HostConfig: Record<string, unknown>) => ({ HostConfig });

/** Limits that create takes and update changes. */
const updatable =
  'CpuShares Memory CgroupParent CpuPeriod CpuQuota CpusetCpus CpusetMems MemoryReservation MemorySwap PidsLimit';

const resources: RequestField[] = [
  ...works(
    'HostConfig.',
    updatable.replace('CgroupParent ', ''),
    LIMITS,
    'memory, swap, processors and processes are limited',
  ),
  ...works('HostConfig.', 'CgroupParent', LIMITS, 'the group of a container is below the parent it names'),
  ...works('HostConfig.', 'NanoCpus', RUN, 'memory, process and processor limits reach the control groups'),
  ...works(
    'HostConfig.',
    'MemorySwappiness OomKillDisable CpuRealtimePeriod CpuRealtimeRuntime',
    LIMITS,
    'swappiness, the OOM killer and real-time scheduling are set',
  ),
  ...works(
    'HostConfig.',
    'BlkioWeight',
    LIMITS,
    'the weight of a container at the disks is set where the kernel has weights, and warned of where not',
  ),
  ...works(
    'HostConfig.BlkioWeightDevice[].',
    'Path Weight',
    LIMITS,
    'one disk may have a weight of its own, when its scheduler knows weights',
  ),
  ...works(
    'HostConfig.',
    ['ReadBps', 'WriteBps', 'ReadIOps', 'WriteIOps']
      .map((what) => `BlkioDevice${what}[].Path BlkioDevice${what}[].Rate`)
      .join(' '),
    LIMITS,
    'reads and writes of a disk are held back',
  ),
  ...works(
    'HostConfig.Devices[].',
    'PathOnHost PathInContainer CgroupPermissions',
    DEVICES,
    'a device is there under its name, with the access that was asked for',
  ),
  ...works('HostConfig.', 'DeviceCgroupRules[]', DEVICES, 'a device rule lets a container use what it makes itself'),
  ...works(
    'HostConfig.DeviceRequests[].',
    'Driver DeviceIDs[]',
    DEVICES,
    'a CDI device brings its nodes, variables, mounts, groups and hooks',
  ),
  ...works(
    'HostConfig.DeviceRequests[].',
    'Count Capabilities[]',
    DEVICES,
    '--device with a CDI name and --gpus of the docker client work where CDI describes them',
  ),
  refused(
    'HostConfig.DeviceRequests[].Options{}',
    host({ DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['a.b/c=d'], Options: { a: 'b' } }] }),
    400,
    /the cdi driver takes no Options/,
  ),
  ...works('HostConfig.', 'Init', RUN, 'run --init puts a small init in front, which passes signals on and reaps'),
  ...works(
    'HostConfig.Ulimits[].',
    'Name Soft Hard',
    PROCESS,
    'sysctls, ulimits, the OOM score and shared memory are those asked for',
  ),
  refused('HostConfig.KernelMemoryTCP', host({ KernelMemoryTCP: 1 << 26 }), 400, /KernelMemoryTCP/),
  ...works(
    'HostConfig.',
    'CpuCount CpuPercent',
    LIMITS,
    'limits that only Windows has are kept, with a warning each that they change nothing',
  ),
  refused(
    'HostConfig.IOMaximumIOps',
    host({ IOMaximumIOps: 1 }),
    400,
    /QoS maximum IOPs configuration is not supported/,
  ),
  refused(
    'HostConfig.IOMaximumBandwidth',
    host({ IOMaximumBandwidth: 1 }),
    400,
    /QoS maximum bandwidth configuration is not supported/,
  ),
];

const hostConfig: RequestField[] = [
  ...works('HostConfig.', 'Binds[]', RUN, 'a folder of the host is the same folder inside'),
  ...works('HostConfig.', 'ContainerIDFile', PROCESS, 'what only describes is kept for inspect and commit'),
  ...works('HostConfig.LogConfig.', 'Type Config{}', PROCESS, 'the log driver and its options are the container’s own'),
  ...works(
    'HostConfig.',
    'NetworkMode PidMode IpcMode UTSMode CgroupnsMode UsernsMode',
    LIMITS,
    'namespaces are the host’s where that is asked for, and new ones otherwise',
  ),
  ...works(
    'HostConfig.',
    'PortBindings{}[].HostIp PortBindings{}[].HostPort PublishAllPorts',
    NETWORK,
    'every exposed port can be published at once, and single ones at an address',
  ),
  ...works(
    'HostConfig.',
    'RestartPolicy.Name RestartPolicy.MaximumRetryCount AutoRemove',
    PROCESS,
    'a restart policy counts, and a container that removes itself is gone',
  ),
  ...works(
    'HostConfig.',
    'VolumeDriver',
    MOUNTS,
    'volumes: driver, options, labels, subpath, and whether the image fills them',
  ),
  ...works('HostConfig.', 'VolumesFrom[]', MOUNTS, 'volumes of another container come along, read-only when told'),
  ...works('HostConfig.', 'ConsoleSize[]', PROCESS, 'a terminal starts with the size that was asked for'),
  ...works('HostConfig.', 'Annotations{}', PROCESS, 'annotations reach the OCI runtime'),
  ...works('HostConfig.', 'CapAdd[] CapDrop[]', PROCESS, 'capabilities are added and dropped'),
  ...works(
    'HostConfig.',
    'Dns[] DnsOptions[] DnsSearch[] ExtraHosts[]',
    NETWORK,
    'hosts, name servers, search domains and options are written as asked',
  ),
  ...works(
    'HostConfig.',
    'GroupAdd[]',
    PROCESS,
    'a process finds the names, user, folder and environment that were asked for',
  ),
  refused('HostConfig.Cgroup', host({ Cgroup: 'container:x' }), 400, /HostConfig\.Cgroup is not supported/),
  ...works('HostConfig.', 'Links[]', NETWORK, 'a link is a name for another container'),
  ...works(
    'HostConfig.',
    'OomScoreAdj ShmSize Sysctls{}',
    PROCESS,
    'sysctls, ulimits, the OOM score and shared memory are those asked for',
  ),
  ...works(
    'HostConfig.',
    'Privileged',
    RUN,
    'capabilities and the system call filter are those of an ordinary container',
  ),
  ...works('HostConfig.', 'ReadonlyRootfs', RUN, 'the root file system can be read-only, with a tmpfs to write to'),
  ...works('HostConfig.', 'SecurityOpt[]', PROCESS, 'security options: no new privileges, filters, open system paths'),
  // Where the file system can; elsewhere it is refused, see cli/create-flags.test.ts.
  ...works(
    'HostConfig.',
    'StorageOpt{}',
    'api/storage-size.test.ts',
    'a container is kept to its size, df shows it, and what it commits is free of it',
  ),
  ...works('HostConfig.', 'Tmpfs{}', MOUNTS, 'a tmpfs has the size, mode and options that were asked for'),
  ...works('HostConfig.', 'Runtime', NETWORK, 'the container that a create of another runtime makes runs on it'),
  refused(
    'HostConfig.Isolation',
    host({ Isolation: 'hyperv' }),
    400,
    /invalid isolation \(hyperv\): linux only supports 'default'/,
  ),
  ...works('HostConfig.', 'MaskedPaths[] ReadonlyPaths[]', PROCESS, 'paths are masked and read-only as asked'),
];

const mounts: RequestField[] = [
  ...works(
    'HostConfig.Mounts[].',
    'Type Source Target ReadOnly Consistency BindOptions.NonRecursive BindOptions.ReadOnlyNonRecursive BindOptions.ReadOnlyForceRecursive',
    MOUNTS,
    'binds are writable, read-only, with or without what is mounted below',
  ),
  ...works(
    'HostConfig.Mounts[].BindOptions.',
    'Propagation',
    MOUNTS,
    'a mount made on the host later shows where the propagation says so',
  ),
  ...works(
    'HostConfig.Mounts[].BindOptions.',
    'CreateMountpoint',
    MOUNTS,
    'a bind makes its folder on the host when it is told to',
  ),
  ...works(
    'HostConfig.Mounts[].VolumeOptions.',
    'NoCopy Labels{} DriverConfig.Name DriverConfig.Options{} Subpath',
    MOUNTS,
    'volumes: driver, options, labels, subpath, and whether the image fills them',
  ),
  ...works(
    'HostConfig.Mounts[].',
    'ImageOptions.Subpath',
    MOUNTS,
    'the files of an image are mounted, whole or in part, and nobody writes there',
  ),
  ...works(
    'HostConfig.Mounts[].TmpfsOptions.',
    'SizeBytes Mode Options[]',
    MOUNTS,
    'a tmpfs has the size, mode and options that were asked for',
  ),
];

const ENDPOINT = 'an endpoint has the addresses, names and options that were asked for';
const networking: RequestField[] = [
  ...works(
    'NetworkingConfig.EndpointsConfig{}.',
    'IPAMConfig.IPv4Address IPAMConfig.IPv6Address IPAMConfig.LinkLocalIPs[] Aliases[] Links[] MacAddress DriverOpts{}',
    NETWORK,
    ENDPOINT,
  ),
  ...works(
    'NetworkingConfig.EndpointsConfig{}.',
    'GwPriority',
    NETWORK,
    'the way out is the network of the highest priority',
  ),
  // What the engine finds out itself: the schema has it in the same object, a request does not decide it.
  ...works(
    'NetworkingConfig.EndpointsConfig{}.',
    'NetworkID EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen DNSNames[]',
    NETWORK,
    ENDPOINT,
  ),
];

const UPDATE = 'update changes what it may, at once, and refuses the rest';
const notUpdated = (field: string, value: unknown, path = field) =>
  refused(`Update.${path}`, { [field]: value }, 400, new RegExp(`${field}( cannot be updated| is not supported)`));
const device = { PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' };

const update: RequestField[] = [
  ...works(
    'Update.',
    `${updatable.replace('CgroupParent ', '')} NanoCpus RestartPolicy.Name RestartPolicy.MaximumRetryCount`,
    LIMITS,
    UPDATE,
  ),
  ...works(
    'Update.',
    'BlkioWeight CpuRealtimePeriod CpuRealtimeRuntime',
    LIMITS,
    'update changes weights and real-time scheduling where the kernel has them',
  ),
  notUpdated('CgroupParent', '/other'),
  notUpdated('BlkioWeightDevice', [{ Path: '/dev/vda', Weight: 100 }], 'BlkioWeightDevice[].Path'),
  notUpdated('BlkioWeightDevice', [{ Path: '/dev/vda', Weight: 100 }], 'BlkioWeightDevice[].Weight'),
  ...['ReadBps', 'WriteBps', 'ReadIOps', 'WriteIOps'].flatMap((what) =>
    ['Path', 'Rate'].map((part) =>
      notUpdated(`BlkioDevice${what}`, [{ Path: '/dev/vda', Rate: 1 }], `BlkioDevice${what}[].${part}`),
    ),
  ),
  ...Object.keys(device).map((part) => notUpdated('Devices', [device], `Devices[].${part}`)),
  notUpdated('DeviceCgroupRules', ['c 1:1 r'], 'DeviceCgroupRules[]'),
  ...['Driver', 'Count', 'DeviceIDs[]', 'Capabilities[]', 'Options{}'].map((part) =>
    notUpdated('DeviceRequests', [{ Driver: 'cdi' }], `DeviceRequests[].${part}`),
  ),
  notUpdated('KernelMemoryTCP', 1),
  notUpdated('MemorySwappiness', 10),
  notUpdated('OomKillDisable', true),
  notUpdated('Init', true),
  ...['Name', 'Soft', 'Hard'].map((part) =>
    notUpdated('Ulimits', [{ Name: 'nofile', Soft: 1, Hard: 1 }], `Ulimits[].${part}`),
  ),
  ...['CpuCount', 'CpuPercent', 'IOMaximumIOps', 'IOMaximumBandwidth'].map((field) => notUpdated(field, 1)),
];

const EXEC = 'an exec has the user, folder, variables, rights and terminal that were asked for';
const exec: RequestField[] = [
  ...works(
    'Exec.',
    'AttachStdin',
    'cli/logs-and-exec.test.ts',
    'exec runs beside the first process, with its own streams, user, folder and exit code',
  ),
  ...works(
    'Exec.',
    'AttachStdout AttachStderr ConsoleSize[] Tty Env[] Cmd[] Privileged User WorkingDir',
    NETWORK,
    EXEC,
  ),
  ...works('Exec.', 'DetachKeys', 'api/events.test.ts', 'attach, detach, and an end in their order'),
  ...works('ExecStart.', 'Detach Tty ConsoleSize[]', NETWORK, EXEC),
];

export const requestFields: readonly RequestField[] = [
  ...config,
  ...resources,
  ...hostConfig,
  ...mounts,
  ...networking,
  ...update,
  ...exec,
];
