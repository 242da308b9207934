import { hostname } from 'node:os';
import type { EngineEvent } from '@gantry/sdk';
import type { ConfigValues } from '../../config/known-keys';

/** @see Docker Engine API, GET /events: the daemon's reload event */
export function reloadEvent(engineId: string, values: ConfigValues, defaultCgroupnsMode: string): EngineEvent {
  const listed = (items: readonly string[]) => JSON.stringify(items);
  const runtimes = Object.entries(values.runtimes).map(([name, { path }]) => `${name}:${path ?? ''}`);
  return {
    type: 'daemon',
    action: 'reload',
    actor: {
      id: engineId,
      attributes: {
        name: hostname(),
        'authorization-plugins': listed(values['authorization-plugins']),
        debug: String(values.debug),
        'default-cgroupns-mode': defaultCgroupnsMode,
        'default-ipc-mode': values['default-ipc-mode'],
        'default-runtime': values['default-runtime'],
        'default-shm-size': String(values['default-shm-size']),
        features: goMap(values.features),
        'insecure-registries': listed(values['insecure-registries']),
        labels: listed(values.labels),
        'live-restore': String(values['live-restore']),
        'max-concurrent-downloads': String(values['max-concurrent-downloads']),
        'max-concurrent-uploads': String(values['max-concurrent-uploads']),
        'max-download-attempts': String(values['max-download-attempts']),
        'registry-mirrors': listed(values['registry-mirrors']),
        runtimes: runtimes.join(' '),
        'shutdown-timeout': String(values['shutdown-timeout']),
      },
    },
  };
}

/** As Go prints a map. */
const goMap = (map: Readonly<Record<string, boolean>>): string =>
  `map[${Object.keys(map)
    .sort()
    .map((name) => `${name}:${map[name]}`)
    .join(' ')}]`;
