import type { SystemInfo } from '@gantry/sdk';
import { inUse, listPrunable } from './cache/prunable';
import type { Builder } from './engine/builder';

/** The builder's part of GET /system/df. */
export function builderInfo(builder: Builder): SystemInfo {
  return {
    async diskUsage(types) {
      if (!types.has('build-cache')) return {};
      const found = await listPrunable(builder);
      const time = (ms: number) => new Date(ms).toISOString();
      return {
        BuildCache: found.map((one) => {
          const { createdAt, lastUsedAt, sizeBytes } = one.kind === 'step' ? one.entry : one.mount;
          return {
            ID: one.id,
            Type: one.kind === 'step' ? 'regular' : 'exec.cachemount',
            Description: one.kind === 'step' ? one.entry.description : `cached mount ${one.mount.id}`,
            InUse: inUse(one),
            Shared: one.kind === 'step' && one.entry.shared,
            Size: sizeBytes,
            CreatedAt: time(createdAt),
            LastUsedAt: time(lastUsedAt),
            UsageCount: one.kind === 'step' ? one.entry.usageCount : 1,
          };
        }),
      };
    },
  };
}
