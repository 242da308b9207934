import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { locateCgroups } from '../inspect/cgroup-files';
import { readSplit, readUnified } from '../inspect/sample';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-sample-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function record(directory: string, files: Readonly<Record<string, string>>): string {
  const path = join(root, directory);
  mkdirSync(path, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

test('usage of a container of a version 2 hierarchy, as Debian’s kernel 6.1 wrote it', async () => {
  const group = record('unified', {
    'cpu.stat':
      'usage_usec 6059162\nuser_usec 4724057\nsystem_usec 1335105\nnr_periods 112\nnr_throttled 105\nthrottled_usec 4944422\nnr_bursts 0\nburst_usec 0\n',
    'memory.current': '237568\n',
    'memory.max': '67108864\n',
    'memory.stat':
      'anon 57344\nfile 0\nkernel 180224\ninactive_anon 53248\ninactive_file 4096\nactive_file 0\npgfault 1658\n',
    'memory.events': 'low 0\nhigh 0\nmax 212\noom 3\noom_kill 1\noom_group_kill 0\n',
    'pids.current': '1\n',
    'pids.max': 'max\n',
    'io.stat': '254:0 rbytes=8192 wbytes=4096 rios=2 wios=1 dbytes=0 dios=0\n7:0 \n',
  });
  expect(await readUnified(group)).toEqual({
    cpu: {
      totalNs: 6_059_162_000,
      userNs: 4_724_057_000,
      kernelNs: 1_335_105_000,
      perCpuNs: undefined,
      periods: 112,
      throttledPeriods: 105,
      throttledNs: 4_944_422_000,
    },
    memory: {
      usage: 237_568,
      maxUsage: undefined,
      limit: 67_108_864,
      failures: 3,
      stats: expect.objectContaining({ anon: 57_344, inactive_file: 4096, pgfault: 1658 }),
    },
    pids: { current: 1, limit: undefined },
    blockIo: {
      bytes: [
        { major: 254, minor: 0, op: 'read', value: 8192 },
        { major: 254, minor: 0, op: 'write', value: 4096 },
      ],
      operations: [
        { major: 254, minor: 0, op: 'read', value: 2 },
        { major: 254, minor: 0, op: 'write', value: 1 },
      ],
    },
  });
});

test('usage of a container of version 1 hierarchies', async () => {
  const sample = await readSplit(
    new Map([
      [
        'cpuacct',
        record('cpuacct', {
          'cpuacct.usage': '5000\n',
          'cpuacct.usage_percpu': '3000 2000 \n',
          'cpuacct.stat': 'user 3\nsystem 1\n',
        }),
      ],
      ['cpu', record('cpu', { 'cpu.stat': 'nr_periods 10\nnr_throttled 2\nthrottled_time 700\n' })],
      [
        'memory',
        record('memory', {
          'memory.usage_in_bytes': '1000\n',
          'memory.max_usage_in_bytes': '2000\n',
          'memory.limit_in_bytes': '67108864\n',
          'memory.failcnt': '4\n',
          'memory.stat': 'cache 10\ntotal_inactive_file 5\n',
        }),
      ],
      ['pids', record('pids', { 'pids.current': '2\n', 'pids.max': '50\n' })],
      ['blkio', record('blkio', { 'blkio.throttle.io_service_bytes_recursive': '254:0 Read 4096\nTotal 4096\n' })],
    ]),
  );
  expect(sample).toMatchObject({
    cpu: { totalNs: 5000, perCpuNs: [3000, 2000], userNs: 30_000_000, throttledPeriods: 2, throttledNs: 700 },
    memory: { usage: 1000, maxUsage: 2000, limit: 67_108_864, failures: 4, stats: { total_inactive_file: 5 } },
    pids: { current: 2, limit: 50 },
    blockIo: { bytes: [{ major: 254, minor: 0, op: 'Read', value: 4096 }] },
  });
});

test('the groups of a process are found on unified, split and hybrid machines', () => {
  const unified = '30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n';
  expect([...locateCgroups('0::/docker/abc\n', unified)]).toEqual([['', '/sys/fs/cgroup/docker/abc']]);
  const hybrid =
    '31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';
  expect(Object.fromEntries(locateCgroups('4:memory:/docker/abc\n0::/docker/abc\n', hybrid))).toEqual({
    memory: '/sys/fs/cgroup/memory/docker/abc',
    '': '/sys/fs/cgroup/unified/docker/abc',
  });
});
