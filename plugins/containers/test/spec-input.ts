import { DEFAULT_CAPABILITIES } from '@gantry/sdk/oci';
import type { SpecInput } from '../spec/build-spec';
import { record } from './records';

/** What the spec of a plain container depends on, with what a test cares about put in. */
export const specInput = (given: Partial<SpecInput> = {}): SpecInput => ({
  record: record(),
  rootPath: '/rootfs',
  hostname: 'web',
  user: { uid: 0, gid: 0, additionalGids: [0] },
  capabilities: DEFAULT_CAPABILITIES,
  namespaces: { pid: 'private', network: { path: '/run/netns/x' }, ipc: 'private', uts: 'private', cgroup: 'private' },
  mounts: [],
  shm: 'own',
  devices: [],
  deviceRules: [],
  resources: {},
  seccomp: undefined,
  apparmorProfile: undefined,
  noNewPrivileges: false,
  rlimits: [],
  sysctls: {},
  cgroupsPath: '/docker/c',
  initPath: undefined,
  rootfsPropagation: '',
  ...given,
});
