import { access, readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';
import { delimiter, join } from 'node:path';
import { AppArmor } from '../apparmor/app-armor';
import { ALL_CAPABILITIES } from './capabilities';
import { missingArchitectures } from './foreign-programs';
import { type LimitSupport, lookUpLimits } from './limit-support';
import { kernelAtLeast } from './seccomp';

/** What this machine's kernel and file system offer; looked up once. */
export interface HostFacts {
  /** As seccomp profiles name it. */
  readonly arch: string;
  readonly kernel: string;
  readonly cgroupVersion: 1 | 2;
  readonly knownCapabilities: readonly string[];
  /** Undefined when the kernel has none. */
  readonly appArmor: AppArmor | undefined;
  readonly hasSeccomp: boolean;
  /** Architectures of seccomp profiles whose system calls the kernel does not have. */
  readonly missingArchitectures: readonly string[];
  /** Path of docker-init or tini; undefined when the machine has none. */
  readonly initPath: string | undefined;
  readonly limits: LimitSupport;
  /** Whether a mount can be made read-only with all that is mounted below it (Linux 5.12). */
  readonly recursiveReadOnly: boolean;
}

const goArch: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: 'x86' };

export async function lookUpHost(configuredInit: string | undefined): Promise<HostFacts> {
  const unified = await exists('/sys/fs/cgroup/cgroup.controllers');
  const [lastCapability, appArmor, status, limits, initPath, missing] = await Promise.all([
    read('/proc/sys/kernel/cap_last_cap'),
    AppArmor.lookUp(),
    read('/proc/self/status'),
    lookUpLimits('/sys/fs/cgroup', unified ? 2 : 1),
    findInit(configuredInit),
    missingArchitectures(),
  ]);
  const last = Number.parseInt(lastCapability, 10);
  // What this process may not have itself it cannot give to a container.
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? 'ffffffffffffffff'}`);
  return {
    arch: goArch[arch()] ?? arch(),
    kernel: release(),
    cgroupVersion: unified ? 2 : 1,
    knownCapabilities: ALL_CAPABILITIES.slice(0, Number.isNaN(last) ? undefined : last + 1).filter(
      (_, bit) => (bounding >> BigInt(bit)) & 1n,
    ),
    appArmor,
    hasSeccomp: /^Seccomp:/m.test(status),
    missingArchitectures: missing,
    limits,
    recursiveReadOnly: kernelAtLeast(release(), '5.12'),
    initPath,
  };
}

async function findInit(configured: string | undefined): Promise<string | undefined> {
  if (configured?.startsWith('/')) return (await exists(configured)) ? configured : undefined;
  const directories = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/libexec/docker',
    '/usr/local/libexec/docker',
  ];
  for (const name of configured ? [configured] : ['docker-init', 'tini-static', 'tini'])
    for (const directory of directories)
      if (directory !== '' && (await exists(join(directory, name)))) return join(directory, name);
  return undefined;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
