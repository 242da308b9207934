import type { VersionShim } from '@gantry/sdk';

type Fields = Readonly<Record<string, unknown>>;

/** What GET /info showed to older clients. */
export const infoShims: readonly VersionShim[] = [
  {
    before: '1.50',
    why: 'told whether bridged packets are filtered by iptables, and no discovered devices',
    // Always false since no kernel module is loaded for it any more.
    response: (body) => {
      const { DiscoveredDevices: _, ...info } = body as Fields;
      return { ...info, BridgeNfIptables: false, BridgeNfIp6tables: false };
    },
  },
  {
    before: '1.49',
    why: 'commits came with the expected one',
    response: (body) => {
      const { FirewallBackend: _, ...info } = body as Fields;
      const commit = (key: string) => ({ ...(info[key] as Fields), Expected: (info[key] as Fields).ID });
      return {
        ...info,
        ContainerdCommit: commit('ContainerdCommit'),
        RuncCommit: commit('RuncCommit'),
        InitCommit: commit('InitCommit'),
      };
    },
  },
  {
    before: '1.47',
    why: 'the registry configuration came with non-distributable artifacts',
    response: (body) => {
      const info = body as Fields;
      const none = { AllowNondistributableArtifactsCIDRs: null, AllowNondistributableArtifactsHostnames: null };
      return { ...info, RegistryConfig: { ...none, ...(info.RegistryConfig as Fields) } };
    },
  },
  {
    before: '1.46',
    why: 'containerd was not told',
    response: (body) => {
      const { Containerd: _, ...info } = body as Fields;
      return info;
    },
  },
  {
    before: '1.44',
    why: 'runtimes had no status',
    response: (body) => {
      const info = body as Fields;
      const runtimes = Object.entries((info.Runtimes ?? {}) as Record<string, Fields>);
      const plain = runtimes.map(([name, { status: _, ...runtime }]) => [name, runtime]);
      return { ...info, Runtimes: Object.fromEntries(plain) };
    },
  },
  {
    before: '1.39',
    why: 'unknown names were spelt out',
    response: (body) => {
      const info = body as Fields;
      const unknown = '<unknown>';
      return {
        ...info,
        KernelVersion: info.KernelVersion || unknown,
        OperatingSystem: info.OperatingSystem || unknown,
      };
    },
  },
  {
    before: '1.25',
    why: 'security options were names',
    response: (body) => {
      const info = body as Fields;
      const options = ((info.SecurityOptions ?? []) as string[]).map(
        (option) => /(?:^|,)name=([^,]*)/.exec(option)?.[1],
      );
      return { ...info, SecurityOptions: options };
    },
  },
];

/** What GET /system/df showed to older clients. */
export const diskUsageShims: readonly VersionShim[] = [
  {
    before: '1.44',
    why: 'VirtualSize repeated Size',
    response: (body) => {
      const { Images, ...rest } = body as Fields;
      if (!Array.isArray(Images)) return body;
      return { ...rest, Images: Images.map((image: Fields) => ({ ...image, VirtualSize: image.Size })) };
    },
  },
  {
    before: '1.42',
    why: 'the size of the build cache was told as a whole, and its records had one parent',
    response: (body) => {
      const { BuildCache, ...rest } = body as Fields;
      const records = (BuildCache ?? []) as Fields[];
      const BuilderSize = records.reduce((sum, { Size }) => sum + (Number(Size) || 0), 0);
      return {
        ...rest,
        BuildCache: BuildCache && records.map(({ Parents: _, ...record }) => record),
        ...(BuilderSize > 0 ? { BuilderSize } : {}),
      };
    },
  },
];
