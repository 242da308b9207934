import { arrayOf, boolean, type ConfigSchema, type DaemonSettings, object, optional } from '@gantry/sdk';
import { key } from '../key';
import { byteSize, parsed } from '../value-schemas';

const hourMs = 3_600_000;

/** `unused-for=48h`: the one filter that a cache without BuildKit can tell. */
const filter = parsed('a filter such as "unused-for=48h"', (text) => {
  const match = /^(?:unused-for|until)={1,2}(?:(\d+)h)?(?:(\d+)m)?$/.exec(text);
  if (match === null || (match[1] === undefined && match[2] === undefined))
    throw new Error(`the filter "${text}" is not supported; use "unused-for=48h"`);
  return Number(match[1] ?? 0) * hourMs + Number(match[2] ?? 0) * 60_000;
});

/** There to say what is missing, rather than that the key is not known. */
const unavailable = (reason: string): ConfigSchema<undefined> => ({
  expects: 'nothing',
  parse: (value, pointer = '') =>
    value === '' || value === null
      ? { ok: true, value: undefined }
      : { ok: false, problems: [{ pointer, message: reason }] },
  absent: { value: undefined },
});

const noFreeSpace = 'free space of the disk is not looked at; use a reserved space or a maximum used space';
const sizes = {
  // The first name is the one of older engines.
  keepStorage: optional(byteSize()),
  reservedSpace: optional(byteSize()),
  maxUsedSpace: optional(byteSize()),
  minFreeSpace: unavailable(noFreeSpace),
};

const schema = object({
  gc: optional(
    object({
      enabled: optional(boolean(), true),
      defaultKeepStorage: optional(byteSize()),
      defaultReservedSpace: optional(byteSize()),
      defaultMaxUsedSpace: optional(byteSize()),
      defaultMinFreeSpace: unavailable(noFreeSpace),
      policy: optional(arrayOf(object({ ...sizes, all: optional(boolean()), filter: optional(arrayOf(filter)) }))),
    }),
  ),
  entitlements: optional(
    object({ 'network-host': optional(boolean(), true), 'security-insecure': optional(boolean(), false) }),
  ),
  buildkit: optional(
    parsed('the address of a BuildKit daemon, such as "unix:///run/buildkit/buildkitd.sock"', (address) => {
      if (!/^unix:\/\/\/./.test(address))
        throw new Error(
          `"${address}" is not the address of a unix socket; write "unix:///run/buildkit/buildkitd.sock"`,
        );
      return address.slice('unix://'.length);
    }),
  ),
});

type Written = typeof schema extends ConfigSchema<infer T> ? T : never;

/** What the key itself says. */
type BuilderKey = Omit<DaemonSettings['builder'], 'prefersBuildkit'>;

const builder: ConfigSchema<BuilderKey> = {
  expects: schema.expects,
  parse(value, pointer) {
    const result = schema.parse(value, pointer);
    return result.ok ? { ok: true, value: settingsOf(result.value) } : result;
  },
};

/** What the builder is told. */
function settingsOf({ gc, entitlements, buildkit }: Written): BuilderKey {
  const policies = gc?.policy?.map(({ keepStorage, reservedSpace, maxUsedSpace, filter: unused }) => ({
    maximumBytes: maxUsedSpace ?? reservedSpace ?? keepStorage ?? 0,
    unusedForMs: Math.max(0, ...(unused ?? [])),
  }));
  return {
    collectGarbage: gc?.enabled ?? true,
    cacheBytes: gc?.defaultMaxUsedSpace ?? gc?.defaultReservedSpace ?? gc?.defaultKeepStorage,
    cachePolicies: policies ?? [],
    allowHostNetwork: entitlements?.['network-host'] ?? true,
    allowInsecure: entitlements?.['security-insecure'] ?? false,
    buildkit,
  };
}

/** How images are built. */
export const buildingKeys = {
  builder: key<BuilderKey>({
    schema: builder,
    fallback: settingsOf({ gc: undefined, entitlements: undefined, buildkit: undefined }),
    fallbackText: 'the limits of the builder plugin',
    reload: 'restart',
    example: {
      gc: { enabled: true, defaultKeepStorage: '20GB', policy: [{ keepStorage: '1GB', filter: ['unused-for=48h'] }] },
    },
    about:
      'Limits of the build cache ("gc"), what build steps may ask for ("entitlements"), and a BuildKit daemon for clients of BuildKit ("buildkit")',
  }),
} as const;
