import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, outputIn, outputOf, startContainer } from '../support/containers';
import { daemonForSuite, testRuntime } from '../support/daemon';
import { testUnless } from '../support/test-unless';

const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
  args: unified ? [] : ['--cpu-rt-period=1000000', '--cpu-rt-runtime=100000'],
});
const api = () => daemon().api;
const inspect = async (id: string) => (await api().get(`/containers/${id}/json`)).json();
const remove = (id: string) => api().delete(`/containers/${id}?force=1&v=1`);

const noV1 = unified && 'this machine has a version 2 hierarchy, which has no such limits';
const onlyOnV1 = testUnless(noV1);
const onCrun = testRuntime === 'crun' && 'crun writes weights to files that kernels of today lack';
const needsWeights = testUnless(onCrun || noV1);
const MIB = 1024 * 1024;

/** A file of the container's own group. */
async function limit(id: string, controller: string, v1: string, v2: string): Promise<string> {
  const { Pid } = (await inspect(id)).State;
  const groups = readFileSync(`/proc/${Pid}/cgroup`, 'utf8').split('\n');
  const line = groups.find((each) =>
    unified ? each.startsWith('0:') : each.split(':')[1]?.split(',').includes(controller),
  );
  const path = line?.split(':').slice(2).join(':') ?? '';
  return readFileSync(join('/sys/fs/cgroup', unified ? '' : controller, path, unified ? v2 : v1), 'utf8').trim();
}

/** A disk of this machine and its number. */
function disk(): { path: string; number: string } {
  const path = ['/dev/vda', '/dev/sda', '/dev/nvme0n1', '/dev/loop0'].find((each) => existsSync(each)) ?? '/dev/loop0';
  const { rdev } = statSync(path);
  return { path, number: `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}` };
}

test('memory, swap, processors and processes are limited', async () => {
  const id = await startContainer(daemon(), {
    HostConfig: {
      Memory: 64 * MIB,
      MemorySwap: 96 * MIB,
      MemoryReservation: 32 * MIB,
      CpuShares: 512,
      CpuPeriod: 50_000,
      CpuQuota: 25_000,
      CpusetCpus: '0',
      CpusetMems: '0',
      PidsLimit: 50,
    },
  });
  expect(await limit(id, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe(String(64 * MIB));
  expect(await limit(id, 'memory', 'memory.memsw.limit_in_bytes', 'memory.swap.max')).toBe(
    String((unified ? 32 : 96) * MIB),
  );
  expect(await limit(id, 'memory', 'memory.soft_limit_in_bytes', 'memory.low')).toBe(String(32 * MIB));
  expect(await limit(id, 'cpu', 'cpu.shares', 'cpu.weight')).toBe(unified ? '20' : '512');
  expect(await limit(id, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toBe(unified ? '25000 50000' : '25000');
  if (!unified) expect(await limit(id, 'cpu', 'cpu.cfs_period_us', 'cpu.max')).toBe('50000');
  expect(await limit(id, 'cpuset', 'cpuset.cpus', 'cpuset.cpus')).toBe('0');
  expect(await limit(id, 'cpuset', 'cpuset.mems', 'cpuset.mems')).toBe('0');
  expect(await limit(id, 'pids', 'pids.max', 'pids.max')).toBe('50');
  await remove(id);
});

onlyOnV1('swappiness, the OOM killer and real-time scheduling are set', async () => {
  const HostConfig = {
    Memory: 64 * MIB,
    MemorySwappiness: 10,
    OomKillDisable: true,
    CpuRealtimePeriod: 1_000_000,
    CpuRealtimeRuntime: 50_000,
  };
  const id = await startContainer(daemon(), { HostConfig });
  expect(await limit(id, 'memory', 'memory.swappiness', '')).toBe('10');
  expect(await limit(id, 'memory', 'memory.oom_control', '')).toMatch(/^oom_kill_disable 1$/m);
  expect(await limit(id, 'cpu', 'cpu.rt_runtime_us', '')).toBe('50000');
  expect(await limit(id, 'cpu', 'cpu.rt_period_us', '')).toBe('1000000');
  await remove(id);
});

test('reads and writes of a disk are held back', async () => {
  const { path: Path, number } = disk();
  const id = await startContainer(daemon(), {
    HostConfig: {
      BlkioDeviceReadBps: [{ Path, Rate: 1_000_001 }],
      BlkioDeviceWriteBps: [{ Path, Rate: 1_000_002 }],
      BlkioDeviceReadIOps: [{ Path, Rate: 103 }],
      BlkioDeviceWriteIOps: [{ Path, Rate: 104 }],
    },
  });
  const file = (v1: string) => limit(id, 'blkio', `blkio.throttle.${v1}`, 'io.max');
  if (unified) expect(await file('')).toBe(`${number} rbps=1000001 wbps=1000002 riops=103 wiops=104`);
  else {
    expect(await file('read_bps_device')).toBe(`${number} 1000001`);
    expect(await file('write_bps_device')).toBe(`${number} 1000002`);
    expect(await file('read_iops_device')).toBe(`${number} 103`);
    expect(await file('write_iops_device')).toBe(`${number} 104`);
  }
  await remove(id);
});

testUnless(onCrun)(
  'the weight of a container at the disks is set where the kernel has weights, and warned of where not',
  async () => {
    const made = await api().post('/containers/create', {
      Image: 'busybox',
      Cmd: ['sleep', '60'],
      HostConfig: { BlkioWeight: 300 },
    });
    const { Id, Warnings } = made.json();
    const { HostConfig } = await inspect(Id);
    if (HostConfig.BlkioWeight === 0) expect(Warnings.join()).toContain('Block I/O weight');
    else {
      expect(Warnings).toEqual([]);
      expect((await api().post(`/containers/${Id}/start`)).status).toBe(204);
      expect(await limit(Id, 'blkio', 'blkio.bfq.weight', 'io.bfq.weight')).toContain('300');
    }
    await remove(Id);
  },
);

needsWeights('one disk may have a weight of its own, when its scheduler knows weights', async () => {
  const image = join(daemon().folder, 'disk');
  writeFileSync(image, Buffer.alloc(MIB));
  const Path = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  try {
    const scheduler = `/sys/block/${Path.slice(5)}/queue/scheduler`;
    const hasWeights = readFileSync(scheduler, 'utf8').includes('bfq');
    if (hasWeights) writeFileSync(scheduler, 'bfq');
    const made = await createContainer(daemon(), { HostConfig: { BlkioWeightDevice: [{ Path, Weight: 200 }] } });
    const started = await api().post(`/containers/${made}/start`);
    if (hasWeights) expect(await limit(made, 'blkio', 'blkio.bfq.weight_device', '')).toMatch(/^7:\d+ 200$/m);
    else expect(started.json().message).toContain('operation not supported');
    await remove(made);
  } finally {
    execFileSync('losetup', ['--detach', Path]);
  }
});

test('limits that only Windows has are kept, with a warning each that they change nothing', async () => {
  const { status, json } = await api().post('/containers/create', {
    Image: 'busybox',
    HostConfig: { CpuCount: 2, CpuPercent: 10 },
  });
  expect(status).toBe(201);
  const { Id, Warnings } = json();
  expect(Warnings).toEqual([expect.stringContaining('CpuCount'), expect.stringContaining('CpuPercent')]);
  expect((await inspect(Id)).HostConfig).toMatchObject({ CpuCount: 2, CpuPercent: 10 });
  await remove(Id);
});

test('update changes what it may, at once, and refuses the rest', async () => {
  const id = await startContainer(daemon(), { HostConfig: { Memory: 64 * MIB } });
  const changes = {
    Memory: 48 * MIB,
    MemorySwap: 64 * MIB,
    MemoryReservation: 16 * MIB,
    CpuShares: 256,
    CpuPeriod: 40_000,
    CpuQuota: 10_000,
    CpusetCpus: '0',
    CpusetMems: '0',
    PidsLimit: 40,
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 4 },
  };
  expect((await api().post(`/containers/${id}/update`, changes)).json()).toEqual({ Warnings: null });
  expect((await inspect(id)).HostConfig).toMatchObject(changes);
  expect(await limit(id, 'memory', 'memory.limit_in_bytes', 'memory.max')).toBe(String(48 * MIB));
  expect(await limit(id, 'cpu', 'cpu.shares', 'cpu.weight')).toBe(unified ? '10' : '256');
  expect(await limit(id, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toBe(unified ? '10000 40000' : '10000');
  expect(await limit(id, 'pids', 'pids.max', 'pids.max')).toBe('40');
  await remove(id);
  const other = await startContainer(daemon());
  const refused = async (change: object) => {
    const { status, text } = await api().post(`/containers/${other}/update`, change);
    return `${status} ${JSON.parse(text).message.replace(other, '<id>')}`;
  };
  expect(await refused({ Memory: 4096 })).toBe('400 Minimum memory limit allowed is 6MB');
  expect(await refused({ Memory: 64 * MIB })).toBe(
    '409 Cannot update container <id>: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
  );
  expect((await api().post(`/containers/${other}/update`, { NanoCpus: 500_000_000 })).status).toBe(200);
  expect(await limit(other, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000\b/);
  expect(await refused({ CpuQuota: 10_000 })).toBe(
    '409 Cannot update container <id>: Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set',
  );
  await remove(other);
});

needsWeights('update changes weights and real-time scheduling where the kernel has them', async () => {
  const id = await startContainer(daemon());
  const answer = await api().post(`/containers/${id}/update`, {
    BlkioWeight: 200,
    CpuRealtimePeriod: 900_000,
    CpuRealtimeRuntime: 40_000,
  });
  expect(answer.status).toBe(200);
  if (answer.json().Warnings === null) expect(await limit(id, 'blkio', 'blkio.bfq.weight', '')).toBe('200');
  expect(await limit(id, 'cpu', 'cpu.rt_runtime_us', '')).toBe('40000');
  expect(await limit(id, 'cpu', 'cpu.rt_period_us', '')).toBe('900000');
  await remove(id);
});

test('the group of a container is below the parent it names', async () => {
  const CgroupParent = `${daemon().cgroupParent}/deeper`;
  const id = await startContainer(daemon(), { HostConfig: { CgroupParent } });
  const { Pid } = (await inspect(id)).State;
  expect(readFileSync(`/proc/${Pid}/cgroup`, 'utf8')).toContain(`${CgroupParent}/${id}`);
  await remove(id);
  // A parent that a user names is the user's.
  for (const hierarchy of unified ? [''] : readdirSync('/sys/fs/cgroup'))
    if (existsSync(join('/sys/fs/cgroup', hierarchy, CgroupParent)))
      rmdirSync(join('/sys/fs/cgroup', hierarchy, CgroupParent));
});

const NAMESPACES = ['pid', 'ipc', 'uts', 'net', 'cgroup', 'user'] as const;
const hosts = Object.fromEntries(NAMESPACES.map((type) => [type, readlinkSync(`/proc/self/ns/${type}`)]));
const SHOW = NAMESPACES.map((type) => `readlink /proc/self/ns/${type}`).join('; ');
const asObject = (text: string) => Object.fromEntries(text.split('\n').map((line) => [line.split(':')[0], line]));

test('namespaces are the host’s where that is asked for, and new ones otherwise', async () => {
  const shared = asObject(
    await outputOf(daemon(), SHOW, {
      HostConfig: {
        PidMode: 'host',
        IpcMode: 'host',
        UTSMode: 'host',
        NetworkMode: 'host',
        CgroupnsMode: 'host',
        UsernsMode: 'host',
      },
    }),
  );
  expect(shared).toEqual(hosts);
  const own = asObject(
    await outputOf(daemon(), SHOW, {
      HostConfig: { CgroupnsMode: 'private', IpcMode: 'private', NetworkMode: 'none' },
    }),
  );
  for (const type of ['pid', 'ipc', 'uts', 'net', 'cgroup']) expect(own[type]).not.toBe(hosts[type]);
  expect(
    await outputOf(daemon(), 'ls -d /dev/shm 2>&1; grep -c /dev/shm /proc/mounts', { HostConfig: { IpcMode: 'none' } }),
  ).toMatch(/0$/);
});

test('a container joins the namespaces of another that runs and shares', async () => {
  const donor = await startContainer(daemon(), { HostConfig: { IpcMode: 'shareable' } }, 'donor');
  const theirs = asObject(await outputIn(daemon(), donor, `echo shared > /dev/shm/note; ${SHOW}`));
  const joining = { PidMode: 'container:donor', IpcMode: 'container:donor', NetworkMode: 'container:donor' };
  const [note, ...rest] = (await outputOf(daemon(), `cat /dev/shm/note; ${SHOW}`, { HostConfig: joining })).split('\n');
  expect(note).toBe('shared');
  const mine = asObject(rest.join('\n'));
  for (const type of ['pid', 'ipc', 'net', 'uts']) expect(mine[type]).toBe(theirs[type]);

  const closed = await startContainer(daemon(), { HostConfig: { IpcMode: 'private' } }, 'closed');
  await expect(outputOf(daemon(), 'true', { HostConfig: { IpcMode: 'container:closed' } })).rejects.toThrow(
    /400 .*failed to join IPC namespace: container .*non-shareable IPC/,
  );
  await api().post(`/containers/${closed}/kill`);
  for (const [field, status, message] of [
    ['PidMode', 500, `failed to join PID namespace: container ${closed} is not running`],
    ['IpcMode', 409, `failed to join IPC namespace: container ${closed} is not running`],
    ['NetworkMode', 409, `cannot join network of a non running container: ${closed}`],
  ] as const) {
    const id = await createContainer(daemon(), { HostConfig: { [field]: 'container:closed' } });
    const answer = await api().post(`/containers/${id}/start`);
    expect([answer.status, answer.json().message]).toEqual([status, expect.stringContaining(message)]);
    expect((await inspect(id)).State).toMatchObject({ Status: 'created', ExitCode: 128, Running: false });
    await remove(id);
  }
  const { json } = await api().get('/containers/json?all=1');
  await Promise.all(json<{ Id: string }[]>().map(({ Id }) => remove(Id)));
});
