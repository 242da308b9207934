import { arrayOf, object, optional, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { type PluginEntry, pluginsSchema } from '../plugin-entry';
import { absolutePath } from '../value-schemas';

/** Who does the work. */
export const pluginKeys = {
  plugins: key<Readonly<Record<string, PluginEntry>>>({
    schema: pluginsSchema,
    fallback: {},
    reload: 'live',
    example: { 'volume-local': { config: { root: '/srv/volumes' } } },
    about: 'Plugins by name, with their configuration',
  }),
  'plugin-directories': key<{ readonly sockets: string; readonly specs: readonly string[] }>({
    schema: object({
      sockets: optional(absolutePath(), '/run/docker/plugins'),
      specs: optional(arrayOf(absolutePath()), ['/etc/docker/plugins', '/usr/lib/docker/plugins']),
    }),
    fallback: { sockets: '/run/docker/plugins', specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'] },
    reload: 'restart',
    example: { sockets: '/run/gantry/plugins' },
    about: 'Directories searched for plugins on sockets',
  }),
  'authorization-plugins': key<readonly string[]>({
    schema: arrayOf(string({ pattern: /./ })),
    fallback: [],
    flag: flagOf.list('authorization-plugin'),
    reload: 'live',
    example: ['allow-list'],
    about: 'Authorization plugins, asked in this order',
  }),
};
