import type { DaemonSettings } from '@gantry/sdk';
import { expect, test } from '@jest/globals';
import { validateDeviceRequests } from '../cdi/device-requests';
import { validateContainer } from '../create/validate';
import { adaptLimits } from '../create/validate-resources';
import { checkName, generateName } from '../records/names';
import { allLimits } from '../spec/limit-support';
import { config, hostConfig } from './documents';

const settings = { cgroupDriver: 'cgroupfs' } as DaemonSettings;
const MIB = 1024 * 1024;

test.each([
  [{ Memory: MIB }, 'Minimum memory limit allowed is 6MB'],
  [{ Memory: 64 * MIB, MemorySwap: 32 * MIB }, 'Minimum memoryswap limit should be larger than memory limit'],
  [{ MemorySwap: 32 * MIB }, 'You should always set the Memory limit when using Memoryswap limit'],
  [{ NanoCpus: 1e12 }, 'range of CPUs is from 0.01 to'],
  [{ NanoCpus: 1e8, CpuPeriod: 5000 }, 'Nano CPUs and CPU Period cannot both be set'],
  [{ CpusetCpus: '0-9999' }, 'Requested CPUs are not available - requested 0-9999'],
  [{ CpusetCpus: 'x' }, 'Invalid value x for cpuset cpus'],
  [{ OomScoreAdj: 2000 }, 'range for oom score adj is [-1000, 1000]'],
  [{ BlkioWeight: 5 }, 'Range of blkio weight is from 10 to 1000'],
  [{ AutoRemove: true, RestartPolicy: { Name: 'always' } }, "can't create 'AutoRemove' container with restart policy"],
  [{ RestartPolicy: { Name: 'sometimes' } }, "invalid restart policy: unknown policy 'sometimes'"],
  [{ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }, "can only be used with 'on-failure'"],
  [{ CapDrop: ['NOPE'] }, 'invalid CapDrop: unknown capability: "CAP_NOPE"'],
  [{ PortBindings: { 'x/tcp': [] } }, 'invalid port specification: "x"'],
  [{ NetworkMode: 'container:a', Dns: ['1.1.1.1'] }, 'conflicting options: dns and the network mode'],
  [{ Sysctls: { 'kernel.panic': '1' } }, "sysctl 'kernel.panic' is not whitelisted"],
  [{ NetworkMode: 'host', Sysctls: { 'net.a': '1' } }, "sysctl 'net.a' not allowed in host network namespace"],
  [{ SecurityOpt: ['frobnicate=1'] }, 'invalid --security-opt 2: "frobnicate=1"'],
  [{ Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 2 }] }, 'ulimit soft limit must be less than or equal to hard limit'],
  [{ PidMode: 'weird' }, 'invalid PID mode: weird'],
  [{ BlkioWeightDevice: [{ Path: '/dev/vda', Weight: 5 }] }, 'invalid weight for device /dev/vda'],
  [{ KernelMemoryTCP: 1 }, 'kernel TCP memory limit is not supported'],
  [{ CpuRealtimePeriod: 100, CpuRealtimeRuntime: 200 }, 'cpu real-time runtime cannot be higher than'],
  [{ CpusetMems: '7' }, 'Requested memory nodes are not available - requested 7, available: 0'],
  [{ IOMaximumIOps: 1 }, 'QoS maximum IOPs configuration is not supported on linux'],
  [{ ExtraHosts: ['db'] }, 'bad format for add-host: "db"'],
  [{ ExtraHosts: ['db:nowhere'] }, 'invalid IP address in add-host: "nowhere"'],
  [{ Dns: ['dns.example'] }, 'IP address is not correctly formatted: dns.example'],
  [{ Links: ['a:b:c'] }, 'bad format for links: a:b:c'],
  [{ Annotations: { '': 'x' } }, 'the empty string is not permitted as an annotation key'],
  [{ MaskedPaths: ['proc'] }, "MaskedPaths: 'proc' is not an absolute path"],
  [{ SecurityOpt: ['apparmor=mine'] }, 'this kernel has no AppArmor'],
  [{ SecurityOpt: ['label=me'] }, 'invalid --security-opt 2: "label=me"'],
  [{ SecurityOpt: ['credentialspec=file://x'] }, 'invalid --security-opt 2: "credentialspec=file://x"'],
  [{ SecurityOpt: ['nonsense'] }, 'invalid --security-opt 1: "nonsense"'],
])('the host configuration %j is refused', (given, message) => {
  const check = () => {
    validateContainer(config(), hostConfig(given), settings);
    adaptLimits(hostConfig(given));
  };
  expect(check).toThrow(message);
});

test.each([
  [{ Driver: 'nvidia', Capabilities: [['gpu']] }, 'could not select device driver "nvidia" with capabilities: [[gpu]]'],
  [{ Driver: 'cdi' }, 'the cdi driver needs DeviceIDs'],
  [{ Driver: 'cdi', DeviceIDs: ['gpu0'] }, 'invalid CDI device name "gpu0"'],
  [{ Driver: 'cdi', DeviceIDs: ['a.b/c=d'], Count: 1 }, 'Count cannot be used with the cdi driver'],
])('the device request %j is refused', async (request, message) => {
  const { DeviceRequests } = hostConfig({ DeviceRequests: [request] });
  await expect(validateDeviceRequests(DeviceRequests ?? [], ['/nowhere/cdi'])).rejects.toThrow(message);
});

test('a limit that this kernel cannot keep is taken out, and the client is told', () => {
  const lacking = { ...allLimits, swap: false, blkioWeight: false, oomKillDisable: false, memorySwappiness: false };
  const asked = { Memory: 64 * MIB, BlkioWeight: 300, OomKillDisable: true, MemorySwappiness: 10 };
  const { host, warnings } = adaptLimits(hostConfig(asked), lacking);
  expect(host).toMatchObject({ MemorySwap: -1, BlkioWeight: 0, OomKillDisable: null, MemorySwappiness: null });
  expect(warnings).toEqual([
    expect.stringContaining('Memory limited without swap'),
    expect.stringContaining('Memory swappiness discarded'),
    expect.stringContaining('OomKillDisable discarded'),
    expect.stringContaining('Weight discarded'),
  ]);
});

test.each([
  [{ WorkingDir: 'a/b' }, "the working directory 'a/b' is invalid, it needs to be an absolute path"],
  [{ StopSignal: 'SIGNOPE' }, 'invalid signal: SIGNOPE'],
  [{ Env: ['=x'] }, 'invalid environment variable: =x'],
  [{ Healthcheck: { Interval: 10 } }, 'Interval in Healthcheck cannot be less than 1ms'],
  [{ ExposedPorts: { '99999/tcp': {} } }, 'invalid port specification'],
])('the configuration %j is refused', (given, message) => {
  expect(() => validateContainer(config(given), hostConfig(), settings)).toThrow(message);
});

test('names are checked and generated', () => {
  expect(checkName('/web-1.a_b')).toBe('web-1.a_b');
  for (const bad of ['x', '-a', 'a b', 'a/b', '']) expect(() => checkName(bad)).toThrow('Invalid container name');
  expect(generateName(() => false)).toMatch(/^[a-z]+_[a-z]+$/);
  expect(generateName((name) => !/\d/.test(name))).toMatch(/^[a-z]+_[a-z]+\d+$/);
});
