import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { adaptLimits } from '../create/validate-resources';
import { lookUpLimits } from '../spec/limit-support';
import { resourceLimits } from '../spec/resources';
import { hostConfig } from './documents';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Files of a hierarchy as they were on a machine; those without content are only there. */
function record(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const names = (directory: string, ...files: string[]) =>
  Object.fromEntries(files.map((name) => [`${directory}/${name}`, '']));

/** Debian's kernel 6.1, version 2 hierarchy. */
const unified = {
  'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
  'cpuset.cpus.effective': '0-1\n',
  'cpuset.mems.effective': '0\n',
  ...names('init', 'memory.max', 'memory.swap.max', 'io.max', 'cpu.weight'),
};

test('a version 2 hierarchy has no swappiness, no switch for the OOM killer, no real-time shares', async () => {
  record(unified);
  expect(await lookUpLimits(root, 2)).toEqual({
    memory: true,
    swap: true,
    memoryReservation: true,
    memorySwappiness: false,
    oomKillDisable: false,
    cpuShares: true,
    cpuQuota: true,
    cpuRealtime: false,
    cpuset: true,
    pids: true,
    blkioWeight: true,
    blkioWeightDevice: true,
    blkioThrottle: true,
    cpus: '0-1',
    mems: '0',
  });
});

test('a version 2 hierarchy tells of swap and of controllers it was not given', async () => {
  record({ ...unified, 'cgroup.controllers': 'cpu memory pids\n' });
  rmSync(join(root, 'init/memory.swap.max'));
  expect(await lookUpLimits(root, 2)).toMatchObject({ swap: false, cpuset: false, blkioThrottle: false, memory: true });
});

test('version 1 hierarchies tell by their files, and weights by those of the scheduler that knows them', async () => {
  record({
    ...names(
      'memory',
      'memory.limit_in_bytes',
      'memory.soft_limit_in_bytes',
      'memory.swappiness',
      'memory.oom_control',
    ),
    ...names('cpu', 'cpu.shares', 'cpu.cfs_quota_us'),
    ...names('blkio', 'blkio.throttle.read_bps_device', 'blkio.bfq.io_service_bytes'),
    ...names('pids', 'cgroup.procs'),
    'cpuset/cpuset.cpus': '0-3,6\n',
    'cpuset/cpuset.mems': '0\n',
  });
  expect(await lookUpLimits(root, 1)).toMatchObject({
    memory: true,
    swap: false,
    oomKillDisable: true,
    cpuRealtime: false,
    blkioWeight: true,
    cpus: '0-3,6',
  });
});

test('what a version 2 hierarchy cannot keep is taken out of a container’s limits with a warning each', async () => {
  record(unified);
  const support = await lookUpLimits(root, 2);
  const asked = {
    Memory: 67108864,
    MemorySwap: 100663296,
    MemoryReservation: 33554432,
    MemorySwappiness: 10,
    OomKillDisable: true,
    CpuShares: 512,
    CpuQuota: 25000,
    CpuPeriod: 50000,
    CpusetCpus: '1',
    PidsLimit: 50,
    BlkioWeight: 300,
    BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1000 }],
  };
  const { host, warnings } = adaptLimits(hostConfig(asked), support);
  expect(warnings).toEqual([
    expect.stringContaining('memory swappiness'),
    'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  ]);
  expect(resourceLimits(host, new Map([['/dev/vda', { major: 254, minor: 0 }]]))).toEqual({
    memory: { limit: 67108864, reservation: 33554432, swap: 100663296 },
    cpu: { shares: 512, quota: 25000, period: 50000, cpus: '1' },
    pids: { limit: 50 },
    blockIO: { weight: 300, throttleReadBpsDevice: [{ major: 254, minor: 0, rate: 1000 }] },
  });
  expect(() => adaptLimits(hostConfig({ CpuRealtimeRuntime: 5 }), support)).toThrow(
    'kernel does not support CPU real-time scheduler',
  );
  expect(() => adaptLimits(hostConfig({ CpusetCpus: '2' }), support)).toThrow('available: 0-1');
});
