import { expect, test } from '@jest/globals';
import { humanDuration, humanDurationValidMs } from '../api/human-duration';
import { hasLabel, parseFilters } from '../api/list-filters';
import { statusText } from '../api/render-list';
import { renderNetworks } from '../api/render-shared';
import { updateDocument } from '../config/container-config';
import { locateCgroups } from '../inspect/cgroup-files';
import { parseBlkio, parseIoStat } from '../inspect/sample';
import { selectProcesses } from '../inspect/top';
import { DetachDetector, parseDetachKeys } from '../io/detach-keys';
import { formatTime, renderEntries } from '../io/logs';
import { Container } from '../run/container';
import { mergeLimits } from '../run/update-container';
import { hostConfig } from './documents';
import { record } from './records';

test.each([
  [0, 'Less than a second'],
  [1500, '1 second'],
  [59_000, '59 seconds'],
  [60_000, 'About a minute'],
  [46 * 60_000, '46 minutes'],
  [60 * 60_000, 'About an hour'],
  [47 * 3_600_000, '47 hours'],
  [72 * 3_600_000, '3 days'],
  [15 * 24 * 3_600_000, '2 weeks'],
  [90 * 24 * 3_600_000, '3 months'],
  [3 * 365 * 24 * 3_600_000, '3 years'],
])('%d ms are shown as "%s"', (ms, words) => {
  expect(humanDuration(ms)).toBe(words);
});

test('the words of a duration stay true for as long as they say', () => {
  for (let ms = 0; ms < 8_000_000; ms += 6_007)
    expect(humanDuration(ms + humanDurationValidMs(ms) - 1)).toBe(humanDuration(ms));
});

test('the status line follows the state', () => {
  const container = new Container(record(), '/nowhere');
  const start = Date.parse('2026-01-01T00:00:00Z');
  const at = (ms: number) => new Date(start + ms).toISOString();
  expect(statusText(container, start).text).toBe('Created');
  container.change({ to: 'running', pid: 1, at: at(0) });
  expect(statusText(container, start + 5000)).toMatchObject({ text: 'Up 5 seconds', validMs: 1000 });
  container.change({ to: 'paused' });
  expect(statusText(container, start + 5000).text).toBe('Up 5 seconds (Paused)');
  container.change({ to: 'exited', exitCode: 3, oomKilled: false, at: at(6000) });
  expect(statusText(container, start + 66_000).text).toBe('Exited (3) About a minute ago');
});

test('a network that was asked for by a short id is shown by its name, also after the container has ended', () => {
  const networkId = '5f0'.padEnd(64, '1');
  const networks = { '5f01': {}, other: {} };
  const endpoint = { networkId, networkName: 'front', dnsNames: [], ipAddress: '10.0.0.2' };
  expect(renderNetworks({ ...record(), networks }, { endpoints: [endpoint] } as never)).toMatchObject({
    front: { NetworkID: networkId, IPAddress: '10.0.0.2' },
    other: { NetworkID: '', IPAddress: '' },
  });
  const lastEndpoints = { front: { networkId, dnsNames: [] } };
  expect(renderNetworks({ ...record(), networks, lastEndpoints }, undefined)).toMatchObject({
    front: { NetworkID: networkId, IPAddress: '' },
    other: { NetworkID: '' },
  });
});

test('filters come as lists or as the older maps', () => {
  expect(parseFilters('{"status":["exited"]}', ['status']).get('status')).toEqual(['exited']);
  expect(parseFilters('{"label":{"a=b":true}}', ['label']).get('label')).toEqual(['a=b']);
  expect(() => parseFilters('{"nope":["x"]}', ['label'])).toThrow("invalid filter 'nope'");
  expect(() => parseFilters('[', ['label'])).toThrow('invalid filter');
  expect(hasLabel({ a: 'b' }, 'a')).toBe(true);
  expect(hasLabel({ a: 'b' }, 'a=c')).toBe(false);
});

test('a detach sequence is found in pieces and what only looked like one is passed on', () => {
  expect([...parseDetachKeys('')]).toEqual([16, 17]);
  expect(() => parseDetachKeys('ctrl-aa')).toThrow('Invalid detach keys');
  const detector = new DetachDetector(Buffer.from([16, 17]));
  expect(detector.feed(Buffer.from([65, 16]))).toEqual({ pass: Buffer.from([65]), detached: false });
  expect(detector.feed(Buffer.from([66]))).toEqual({ pass: Buffer.from([16, 66]), detached: false });
  expect(detector.feed(Buffer.from([16])).detached).toBe(false);
  expect(detector.feed(Buffer.from([17, 99])).detached).toBe(true);
});

test('log entries become one block of frames', () => {
  const entries = [
    { source: 'stdout' as const, timeNs: 1_000_000_005n, line: Buffer.from('a\n') },
    { source: 'stderr' as const, timeNs: 2n, line: Buffer.from('bb\n') },
  ];
  const options = { stdout: true, stderr: true, follow: false, timestamps: false, details: false, framed: true };
  expect(renderEntries(entries, options)).toEqual(
    Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 97, 10, 2, 0, 0, 0, 0, 0, 0, 3, 98, 98, 10]),
  );
  const plain = renderEntries(entries, { ...options, stderr: false, timestamps: true, framed: false });
  expect(plain.toString()).toBe('1970-01-01T00:00:01.000000005Z a\n');
  expect(formatTime(1_700_000_000_123_456_789n)).toBe('2023-11-14T22:13:20.123456789Z');
});

test('processes are those of the container, with the whole command', () => {
  const output = 'UID  PID PPID CMD\nroot 1 0 init\nroot 42 1 sh -c sleep 1; true\n';
  expect(selectProcesses(output, new Set([42]))).toEqual({
    titles: ['UID', 'PID', 'PPID', 'CMD'],
    processes: [['root', '42', '1', 'sh -c sleep 1; true']],
  });
  expect(() => selectProcesses('UID CMD\n', new Set())).toThrow("Couldn't find PID field");
});

test('cgroups are found in both hierarchies', () => {
  const v1 = locateCgroups(
    '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n',
    '30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n',
  );
  expect(v1.get('memory')).toBe('/sys/fs/cgroup/memory/docker/abc');
  expect(v1.get('cpuacct')).toBe('/sys/fs/cgroup/cpu,cpuacct/docker/abc');
  const v2 = locateCgroups('0::/system.slice/x\n', '30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n');
  expect(v2.get('')).toBe('/sys/fs/cgroup/system.slice/x');
});

test('block device counters are read from both hierarchies', () => {
  expect(parseBlkio('8:0 Read 4096\n8:0 Write 0\nTotal 4096\n')).toEqual([
    { major: 8, minor: 0, op: 'Read', value: 4096 },
    { major: 8, minor: 0, op: 'Write', value: 0 },
  ]);
  expect(parseIoStat('8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n')).toEqual({
    bytes: [
      { major: 8, minor: 0, op: 'read', value: 10 },
      { major: 8, minor: 0, op: 'write', value: 20 },
    ],
    operations: [
      { major: 8, minor: 0, op: 'read', value: 1 },
      { major: 8, minor: 0, op: 'write', value: 2 },
    ],
  });
});

test('an update keeps what it does not name and refuses contradictions', () => {
  const present = hostConfig({ Memory: 1e8, MemorySwap: 2e8, CpuShares: 5 });
  const update = (given: object) => mergeLimits(present, updateDocument.decode(given, ''));
  expect(update({ CpuShares: 9 })).toMatchObject({ Memory: 1e8, CpuShares: 9 });
  expect(() => update({ Memory: 3e8 })).toThrow('Memory limit should be smaller than already set memoryswap limit');
  expect(() => update({ Memory: 5 })).toThrow('Minimum memory limit allowed is 6MB');
  expect(() => update({ RestartPolicy: { Name: 'what' } })).toThrow('invalid restart policy');
  const passing = hostConfig({ AutoRemove: true });
  const always = updateDocument.decode({ RestartPolicy: { Name: 'always' } }, '');
  expect(() => mergeLimits(passing, always)).toThrow(expect.objectContaining({ kind: 'conflict' }));
});
