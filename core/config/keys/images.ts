import { arrayOf, type ConfigSchema, escapePointer, integer, mapOf, object, optional, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { parsed } from '../value-schemas';

const mirror = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new Error(`invalid mirror: unsupported scheme in "${text}"; use http:// or https://`);
  if (url.search !== '' || url.hash !== '') throw new Error(`invalid mirror: query or fragment in "${text}"`);
  if (url.username !== '' || url.password !== '') throw new Error('invalid mirror: username or password in the URL');
  return text.endsWith('/') ? text : `${text}/`;
};

const proxy = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new Error('not the URL of a proxy; use http://host:port');
  return text;
};

const namePrefix = /^(localhost|[a-z0-9.-]*[.:][a-z0-9.:-]*)(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

/** An object whose keys are the beginnings of image names in full. */
function byName<T>(item: ConfigSchema<T>): ConfigSchema<Readonly<Record<string, T>>> {
  const map = mapOf(item);
  return {
    expects: map.expects,
    parse(value, pointer = '') {
      const result = map.parse(value, pointer);
      if (!result.ok) return result;
      const wrong = Object.keys(result.value).filter((name) => !namePrefix.test(name));
      if (wrong.length === 0) return result;
      const hint =
        'write the host and as much of the path as wanted, such as "docker.io" or "registry.example.org/team"';
      const problems = wrong.map((name) => ({
        pointer: `${pointer}/${escapePointer(name)}`,
        message: `"${name}" does not begin an image name: ${hint}`,
      }));
      return { ok: false, problems };
    },
  };
}

/** Where images come from and how they are stored. */
export const imageKeys = {
  'storage-driver': key({
    schema: string(),
    fallback: '',
    fallbackText: 'overlay2',
    flag: flagOf.string('storage-driver', 's'),
    reload: 'restart',
    example: 'overlay2',
    about:
      'Snapshotter that holds image and container layers: overlay2, vfs, or one of a plugin; each has images of its own',
  }),
  'storage-opts': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('storage-opt'),
    reload: 'restart',
    example: ['overlay2.size=20G'],
    about: 'Options of the storage driver: overlay2.size (size for vfs) limits what every container may write',
  }),
  'insecure-registries': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('insecure-registry'),
    reload: 'live',
    example: ['registry.example.org:5000', '10.0.0.0/8'],
    about: 'Registries (host, host:port or CIDR) reached over plain http or unverified TLS',
  }),
  'registry-mirrors': key<readonly string[]>({
    schema: arrayOf(parsed('a URL', mirror)),
    fallback: [],
    flag: flagOf.list('registry-mirror'),
    reload: 'live',
    example: ['https://mirror.example.org/'],
    about: 'Mirrors of the default registry',
  }),
  'registry-mirror-prefixes': key<Readonly<Record<string, readonly string[]>>>({
    schema: byName(arrayOf(parsed('a URL', mirror))),
    fallback: {},
    reload: 'live',
    example: { 'ghcr.io/team': ['https://mirror.example.org/'] },
    about:
      'Mirrors of any registry by the beginning of image names: the longest decides, the registry itself comes last. ' +
      'A mirror whose URL holds /v2/ is asked below that path',
  }),
  proxies: key<{
    readonly 'http-proxy'?: string;
    readonly 'https-proxy'?: string;
    readonly 'no-proxy'?: string;
  }>({
    schema: object({
      'http-proxy': optional(parsed('a URL', proxy)),
      'https-proxy': optional(parsed('a URL', proxy)),
      'no-proxy': optional(string()),
    }),
    fallback: {},
    fallbackText: 'HTTP_PROXY, HTTPS_PROXY, NO_PROXY of the environment',
    reload: 'restart',
    example: { 'https-proxy': 'http://proxy.example.com:3128', 'no-proxy': 'localhost,.example.com' },
    about: 'Proxies on the way to registries',
  }),
  'max-concurrent-downloads': key({
    schema: integer({ min: 1 }),
    fallback: 3,
    flag: flagOf.integer('max-concurrent-downloads'),
    reload: 'live',
    example: 6,
    about: 'Layers pulled at the same time',
  }),
  'max-concurrent-uploads': key({
    schema: integer({ min: 1 }),
    fallback: 5,
    flag: flagOf.integer('max-concurrent-uploads'),
    reload: 'live',
    example: 6,
    about: 'Layers pushed at the same time',
  }),
  'max-download-attempts': key({
    schema: integer({ min: 1 }),
    fallback: 5,
    flag: flagOf.integer('max-download-attempts'),
    reload: 'live',
    example: 3,
    about: 'Attempts per layer before a pull fails',
  }),
};
