import type { VersionShim } from '@gantry/sdk';

type Fields = Readonly<Record<string, unknown>>;

/** What GET /info showed to older clients. */
export const infoShims: readonly VersionShim[] = [
  {
    before: '1.50',
    why: 'told whether bridged packets are filtered by iptables',
    // Always true: no kernel module is needed for it any more.
    response: (body) => ({ BridgeNfIptables: true, BridgeNfIp6tables: true, ...(body as Fields) }),
  },
  {
    before: '1.49',
    why: 'commits came with the expected one, and the registry configuration with non-distributable artifacts',
    response: (body) => {
      const info = body as Fields;
      const commit = (key: string) => ({ ...(info[key] as Fields), Expected: (info[key] as Fields).ID });
      return {
        ...info,
        ContainerdCommit: commit('ContainerdCommit'),
        RuncCommit: commit('RuncCommit'),
        InitCommit: commit('InitCommit'),
        RegistryConfig: {
          AllowNondistributableArtifactsCIDRs: null,
          AllowNondistributableArtifactsHostnames: null,
          ...(info.RegistryConfig as Fields),
        },
      };
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
];
