/**
 * Plugins that come with the daemon, by name; their packages are `@gantry/plugin-<name>`. The large ones stand last:
 * who connects as soon as the sockets are open is answered between the first small ones.
 */
export const bundledPlugins: readonly string[] = [
  'log-fluentd',
  'log-gelf',
  'log-splunk',
  'log-awslogs',
  'log-gcplogs',
  'log-journald',
  'log-json-file',
  'log-local',
  'log-syslog',
  'logs',
  'network-bridge',
  'network-host',
  'network-macvlan',
  'network-none',
  'networks',
  'plugin-manager',
  'runtime-runc',
  'volume-local',
  'volumes',
  'images',
  'builder',
  'containers',
];
