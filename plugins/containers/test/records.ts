import type { ContainerRecord } from '../records/container-record';
import { createdState } from '../run/state';
import { config, hostConfig } from './documents';

/** A record of a container made of `busybox`, with what a test cares about put in. */
export function record(given: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    version: 1,
    id: 'c'.repeat(64),
    name: 'web',
    createdAt: '2026-01-01T00:00:00.000Z',
    imageId: `sha256:${'1'.repeat(64)}`,
    platform: 'linux',
    path: 'sleep',
    args: ['10'],
    config: config({ Image: 'busybox', Cmd: ['sleep', '10'], Hostname: 'web', Env: ['PATH=/bin'] }),
    hostConfig: hostConfig({
      NetworkMode: 'bridge',
      ShmSize: 67108864,
      CgroupnsMode: 'private',
      IpcMode: 'private',
      MaskedPaths: ['/proc/kcore'],
      ReadonlyPaths: ['/proc/sys'],
    }),
    graphDriver: { name: 'overlay2', data: {} },
    log: { type: 'json-file', options: {} },
    mounts: [],
    networks: { bridge: {} },
    state: createdState,
    restartCount: 0,
    stoppedByUser: false,
    started: false,
    ...given,
  };
}
