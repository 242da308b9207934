import { expect, test } from '@jest/globals';
import { updateDocument } from '../config/container-config';
import { completeHostConfig } from '../create/complete-host-config';
import { adaptLimits } from '../create/validate-resources';
import type { Engine } from '../engine';
import { planUpdate } from '../run/update-container';
import { buildSpec } from '../spec/build-spec';
import { allLimits, type LimitSupport } from '../spec/limit-support';
import { resourceLimits } from '../spec/resources';
import { hostConfig } from './documents';
import { record } from './records';
import { specInput } from './spec-input';

/** What Debian's kernel 6.1 can keep in its version 2 hierarchy. */
const unified: LimitSupport = {
  ...allLimits,
  memorySwappiness: false,
  oomKillDisable: false,
  cpuRealtime: false,
  cpus: '0-3',
  mems: '0',
};
const hosts = { 1: { ...allLimits, cpus: '0-3', mems: '0' }, 2: unified };

/** The daemon's side of a create on a machine with that hierarchy. */
function engineOn(version: 1 | 2) {
  return {
    settings: {
      defaultCgroupnsMode: version === 2 ? 'private' : 'host',
      defaultIpcMode: 'private',
      defaultShmSizeBytes: 64 << 20,
      defaultRuntime: 'runc',
      init: false,
    },
    networks: { defaultNetwork: 'bridge' },
    host: { cgroupVersion: version, limits: hosts[version], initPath: undefined },
    index: { find: () => undefined },
  } as unknown as Pick<Engine, 'settings' | 'networks' | 'host' | 'index'>;
}

/** The spec that comes of a request, limits and namespaces as they are decided for that hierarchy. */
function specOn(version: 1 | 2, asked: object) {
  const { host, warnings } = adaptLimits(completeHostConfig(hostConfig(asked), engineOn(version)), hosts[version]);
  const input = specInput({ record: record({ hostConfig: host }) });
  const cgroup = host.CgroupnsMode === 'host' ? 'host' : 'private';
  const resources = resourceLimits(host, new Map([['/dev/vda', { major: 254, minor: 0 }]]));
  return { spec: buildSpec({ ...input, namespaces: { ...input.namespaces, cgroup }, resources }), warnings };
}

const everyLimit = {
  Memory: 64 << 20,
  MemoryReservation: 32 << 20,
  MemorySwappiness: 10,
  OomKillDisable: true,
  CpuShares: 512,
  NanoCpus: 1_500_000_000,
  CpusetCpus: '0-1',
  CpusetMems: '0',
  PidsLimit: 50,
  BlkioWeight: 300,
  BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1000 }],
  BlkioDeviceWriteIOps: [{ Path: '/dev/vda', Rate: 7 }],
};

test('the spec of a limited container on a version 2 host', () => {
  expect(specOn(2, everyLimit)).toMatchSnapshot();
});

test('the spec of the same container on a version 1 host differs in what only that keeps', () => {
  const { spec, warnings } = specOn(1, everyLimit);
  expect(warnings).toEqual([]);
  expect(spec.linux.resources?.memory).toMatchObject({ swappiness: 10, disableOOMKiller: true });
  expect(spec.linux.namespaces.map(({ type }) => type)).not.toContain('cgroup');
});

test('a privileged container has a cgroup namespace of its own on version 2, and the host’s on version 1', () => {
  const namespaces = (version: 1 | 2) =>
    specOn(version, { Privileged: true }).spec.linux.namespaces.map(({ type }) => type);
  expect(namespaces(2)).toContain('cgroup');
  expect(namespaces(1)).not.toContain('cgroup');
});

test('an update on a version 2 host tells the runtime what changes, and leaves out with a warning what it cannot keep', () => {
  const present = completeHostConfig(hostConfig({ Memory: 64 << 20, PidsLimit: 9 }), engineOn(2));
  const request = (asked: object) => updateDocument.decode(asked, '');
  const asked = { Memory: 48 << 20, MemorySwap: 64 << 20, CpuShares: 256, CpusetCpus: '1', BlkioWeight: 200 };
  expect(planUpdate(present, request(asked), unified)).toMatchObject({
    warnings: [],
    updated: { ...asked, PidsLimit: 9, OomKillDisable: null },
    resources: {
      memory: { limit: 48 << 20, swap: 64 << 20 },
      cpu: { shares: 256, cpus: '1' },
      blockIO: { weight: 200 },
    },
  });
  const poor = { ...unified, swap: false, pids: false };
  const lifted = planUpdate(present, request({ Memory: 32 << 20, MemorySwap: 64 << 20, PidsLimit: 5 }), poor);
  expect(lifted.warnings).toEqual([
    expect.stringContaining('swap limit capabilities'),
    expect.stringContaining('PIDs limit'),
  ]);
  expect(lifted.resources.pids).toBeUndefined();
  expect(() => planUpdate(present, request({ CpuRealtimeRuntime: 5000 }), unified)).toThrow('real-time');
  expect(() => planUpdate(present, request({ CpusetCpus: '7' }), unified)).toThrow('available: 0-3');
});
