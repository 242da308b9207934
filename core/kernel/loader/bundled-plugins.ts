/** Plugins that come with the daemon, by name; their packages are `@gantry/plugin-<name>`. */
export const bundledPlugins: readonly string[] = [
  'containers',
  'images',
  'log-json-file',
  'log-local',
  'logs',
  'network-bridge',
  'network-host',
  'network-macvlan',
  'network-none',
  'networks',
  'runtime-runc',
  'volume-local',
  'volumes',
];
