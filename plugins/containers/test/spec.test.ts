import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_CAPABILITIES } from '@gantry/sdk/oci';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { buildSpec } from '../spec/build-spec';
import { ALL_CAPABILITIES, resolveCapabilities } from '../spec/capabilities';
import { parseDeviceRule } from '../spec/devices';
import { pathInRoot } from '../spec/path-in-root';
import { resourceLimits } from '../spec/resources';
import { parseSeccompProfile, resolveSeccomp } from '../spec/seccomp';
import { defaultSeccompProfile } from '../spec/seccomp-profile';
import { resolveUser } from '../spec/user';
import { config, hostConfig } from './documents';
import { record } from './records';
import { specInput } from './spec-input';

test('the spec of a plain container', () => {
  expect(buildSpec(specInput())).toMatchSnapshot();
});

test('the spec of a container with much of everything', () => {
  const base = record();
  const spec = buildSpec(
    specInput({
      record: {
        ...base,
        config: config({
          ...base.config,
          Tty: true,
          WorkingDir: '/srv',
          Domainname: 'example.org',
          Env: ['A=1', 'HOME'],
        }),
        hostConfig: hostConfig({
          ...base.hostConfig,
          ReadonlyRootfs: true,
          ConsoleSize: [24, 80],
          OomScoreAdj: -5,
          Annotations: { a: 'b' },
        }),
      },
      user: { uid: 1000, gid: 100, additionalGids: [100, 5] },
      mounts: [
        { destination: '/data/deep', type: 'bind', source: '/v2', options: ['rbind'] },
        { destination: '/data', type: 'bind', source: '/v1', options: ['rbind'] },
        { destination: '/dev/shm', type: 'tmpfs', source: 'tmpfs', options: [] },
      ],
      deviceRules: [parseDeviceRule('c 10:* rw')],
      resources: resourceLimits(hostConfig({ Memory: 1e8, MemorySwap: 2e8, NanoCpus: 5e8, PidsLimit: 9 })),
      rlimits: [{ name: 'nofile', soft: 1, hard: 2 }],
      sysctls: { 'net.core.somaxconn': '9' },
      initPath: '/usr/bin/tini',
      noNewPrivileges: true,
    }),
  );
  expect(spec).toMatchSnapshot();
});

test('privileged lifts the device rules and makes sysfs writable', () => {
  const base = record();
  const spec = buildSpec(
    specInput({ record: { ...base, hostConfig: hostConfig({ ...base.hostConfig, Privileged: true }) } }),
  );
  expect(spec.linux.resources?.devices).toEqual([{ allow: true, access: 'rwm' }]);
  expect(spec.mounts.find(({ destination }) => destination === '/sys')?.options).not.toContain('ro');
});

test('namespaces of the host are left out and those of others are joined', () => {
  const { namespaces } = buildSpec(
    specInput({
      namespaces: { pid: { path: '/proc/9/ns/pid' }, network: 'host', ipc: 'host', uts: 'host', cgroup: 'host' },
    }),
  ).linux;
  expect(namespaces).toEqual([{ type: 'mount' }, { type: 'pid', path: '/proc/9/ns/pid' }]);
});

test('capabilities are added to and dropped from the default set', () => {
  const known = ALL_CAPABILITIES;
  const resolve = (add: string[], drop: string[]) => resolveCapabilities({ add, drop, privileged: false }, known);
  expect(resolve([], [])).toEqual(DEFAULT_CAPABILITIES);
  expect(resolve(['net_admin'], ['CAP_MKNOD'])).toEqual([
    ...DEFAULT_CAPABILITIES.filter((name) => name !== 'CAP_MKNOD'),
    'CAP_NET_ADMIN',
  ]);
  expect(resolve(['CHOWN'], ['ALL'])).toEqual(['CAP_CHOWN']);
  expect(resolve(['ALL'], ['SYS_ADMIN'])).toHaveLength(known.length - 1);
  expect(() => resolve(['FLY'], [])).toThrow('invalid CapAdd: unknown capability: "CAP_FLY"');
});

const profileFor = (capabilities: readonly string[], arch = 'amd64', missingArchitectures: readonly string[] = []) =>
  resolveSeccomp(defaultSeccompProfile, { capabilities, arch, kernel: '6.1.0-1-amd64', missingArchitectures }) as {
    architectures: string[];
    syscalls: { names: string[]; action: string; errnoRet?: number }[];
  };

test('the default seccomp profile opens with capabilities', () => {
  const allows = (profile: ReturnType<typeof profileFor>, name: string) =>
    profile.syscalls.some(({ names, action }) => names.includes(name) && action === 'SCMP_ACT_ALLOW');
  const plain = profileFor(DEFAULT_CAPABILITIES);
  expect(plain.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  const bare = profileFor(DEFAULT_CAPABILITIES, 'amd64', ['SCMP_ARCH_X32', 'SCMP_ARCH_ARM']);
  expect(bare.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  for (const name of ['read', 'ptrace', 'chroot', 'arch_prctl'])
    expect([name, allows(plain, name)]).toEqual([name, true]);
  for (const name of ['mount', 'bpf', 'reboot', 'init_module', 'keyctl', 'kexec_load', 'io_uring_setup'])
    expect([name, allows(plain, name)]).toEqual([name, false]);
  expect(plain.syscalls.find(({ names }) => names.includes('clone3'))).toMatchObject({ errnoRet: 38 });
  expect(allows(profileFor([...DEFAULT_CAPABILITIES, 'CAP_SYS_ADMIN']), 'mount')).toBe(true);
  expect(profileFor(DEFAULT_CAPABILITIES, 'arm64').architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
});

test('a profile that is none is refused', () => {
  expect(() => parseSeccompProfile('{')).toThrow('Decoding seccomp profile failed');
  expect(() => parseSeccompProfile('{}')).toThrow('defaultAction is missing');
});

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:100:Web:/home/web:/bin/sh\n',
  group: 'root:x:0:\nusers:x:100:\naudio:x:29:web,other\n',
};

test('users are found by name and number, with their groups', () => {
  expect(resolveUser('', files)).toEqual({ uid: 0, gid: 0, additionalGids: [0] });
  expect(resolveUser('web', files)).toEqual({ uid: 1000, gid: 100, additionalGids: [100, 29] });
  expect(resolveUser('1000', files)).toEqual({ uid: 1000, gid: 100, additionalGids: [100, 29] });
  expect(resolveUser('web:audio', files)).toEqual({ uid: 1000, gid: 29, additionalGids: [29] });
  expect(resolveUser('4711:5', files, ['users', '77'])).toEqual({ uid: 4711, gid: 5, additionalGids: [5, 100, 77] });
  expect(() => resolveUser('nobody', files)).toThrow('unable to find user nobody: no matching entries in passwd file');
  expect(() => resolveUser('web:nogroup', files)).toThrow('unable to find group nogroup');
  expect(() => resolveUser('99999999999', files)).toThrow('uids and gids must be in range');
});

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gantry-root-'));
  await mkdir(join(root, 'etc'));
  await symlink('/etc', join(root, 'abs'));
  await symlink('../../../../../..', join(root, 'up'));
  await symlink('loop', join(root, 'loop'));
});
afterAll(() => rm(root, { recursive: true }));

test('no link leads out of a root directory', async () => {
  expect(await pathInRoot(root, '/abs/passwd')).toBe(join(root, 'etc/passwd'));
  expect(await pathInRoot(root, '/up/etc/shadow')).toBe(join(root, 'etc/shadow'));
  expect(await pathInRoot(root, '/../../x')).toBe(join(root, 'x'));
  expect(await pathInRoot(root, '/abs', { followLast: false })).toBe(join(root, 'abs'));
  await expect(pathInRoot(root, '/loop/x')).rejects.toMatchObject({ code: 'ELOOP' });
});
