import {
  bytesField,
  type Field,
  message,
  numberField,
  numberOf,
  readFields,
  textField,
  textsOf,
  timeField,
} from '../buildkit/protobuf';
import {
  inUse,
  isShared,
  listPrunable,
  type Prunable,
  pruneFilter,
  removePrunable,
  sizeOf,
  usedAt,
} from '../cache/prunable';
import type { Builder } from '../engine/builder';
import type { GrpcMethod } from './grpc-server';

/** The methods about what the cache holds. @see BuildKit, api/services/control/control.proto */
export function usageMethods(builder: Builder): Record<string, GrpcMethod> {
  return {
    async DiskUsage({ request }) {
      const fits = fitsAll(filtersOf(readFields(request), 1));
      const found = (await listPrunable(builder)).filter(fits);
      return message(...found.map((one) => bytesField(1, record(one))));
    },
    async Prune({ request, send }) {
      const fields = readFields(request);
      const olderThanMs = numberOf(fields, 3) / 1e6;
      const before = Date.now() - olderThanMs;
      const filters = fitsAll(filtersOf(fields, 1));
      const { removed } = await removePrunable(builder, {
        all: numberOf(fields, 2) !== 0,
        keepBytes: Math.max(numberOf(fields, 4), numberOf(fields, 5)),
        fits: (one) => filters(one) && (olderThanMs === 0 || usedAt(one) < before),
      });
      for (const one of removed) await send(record(one));
      return undefined;
    },
  };
}

/** `name==value`, several of them in one text when all must fit. */
const filtersOf = (fields: readonly Field[], number: number) =>
  textsOf(fields, number).flatMap((text) =>
    text
      .split(',')
      .filter((each) => each.trim() !== '')
      .map((each) => {
        const [, name = '', , value = ''] = /^([^=~!]+)(==|=|~=)?(.*)$/.exec(each.trim()) ?? [];
        return pruneFilter(name, each.includes('~=') ? [`~=${value}`] : value === '' ? [] : [value]);
      }),
  );

const fitsAll = (checks: readonly ((one: Prunable) => boolean)[]) => (one: Prunable) =>
  checks.every((check) => check(one));

/** A `UsageRecord`. */
function record(one: Prunable): Buffer {
  const { createdAt, lastUsedAt } = one.kind === 'step' ? one.entry : one.mount;
  return message(
    textField(1, one.id),
    numberField(2, one.kind === 'mount'),
    numberField(3, inUse(one)),
    numberField(4, sizeOf(one)),
    timeField(6, createdAt),
    timeField(7, lastUsedAt),
    numberField(8, one.kind === 'step' ? one.entry.usageCount : 1),
    textField(9, one.kind === 'step' ? one.entry.description : `cached mount ${one.mount.id}`),
    textField(10, one.kind === 'step' ? 'regular' : 'exec.cachemount'),
    numberField(11, isShared(one)),
  );
}
