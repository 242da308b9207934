import { type Look, missing, ok, warn } from './finding';
import type { Machine } from './machine';

const oldestKernel = [5, 10] as const;
const oldestNode = 20;

/** A facility of the kernel: how it shows when it is there, and which option builds it. */
interface Facility {
  readonly name: string;
  readonly option: string;
  /** Module to load when it is one; absent for what cannot be a module. */
  readonly module?: string;
  readonly without: 'missing' | 'warn';
  readonly use: string;
  isThere?(machine: Machine): Promise<boolean>;
}

const namespaceOf = (name: string) => (machine: Machine) => machine.exists(`/proc/self/ns/${name}`);
const moduleLoaded = (name: string) => (machine: Machine) => machine.exists(`/sys/module/${name}`);

const facilities: readonly Facility[] = [
  ...(['mnt', 'net', 'pid', 'ipc', 'uts'] as const).map(
    (name): Facility => ({
      name: `${name} namespaces`,
      option: name === 'mnt' ? 'CONFIG_NAMESPACES' : `CONFIG_${name.toUpperCase()}_NS`,
      without: 'missing',
      use: 'isolation of containers',
      isThere: namespaceOf(name),
    }),
  ),
  {
    name: 'cgroup namespaces',
    option: 'CONFIG_CGROUPS',
    without: 'warn',
    use: 'docker run --cgroupns private',
    isThere: namespaceOf('cgroup'),
  },
  {
    name: 'overlayfs',
    option: 'CONFIG_OVERLAY_FS',
    module: 'overlay',
    without: 'missing',
    use: 'image and container layers',
    isThere: async (machine) => /\toverlay$/m.test((await machine.read('/proc/filesystems')) ?? ''),
  },
  {
    name: 'seccomp filters',
    option: 'CONFIG_SECCOMP_FILTER',
    without: 'warn',
    use: 'the default seccomp profile; containers run without one',
    isThere: async (machine) => /^Seccomp:/m.test((await machine.read('/proc/self/status')) ?? ''),
  },
  {
    name: 'bridge',
    option: 'CONFIG_BRIDGE',
    module: 'bridge',
    without: 'missing',
    use: 'bridge networks',
    isThere: moduleLoaded('bridge'),
  },
  {
    name: 'veth',
    option: 'CONFIG_VETH',
    module: 'veth',
    without: 'missing',
    use: 'interfaces of containers',
    isThere: moduleLoaded('veth'),
  },
  {
    name: 'nf_tables',
    option: 'CONFIG_NF_TABLES',
    module: 'nf_tables',
    without: 'missing',
    use: 'published ports and address translation',
    isThere: moduleLoaded('nf_tables'),
  },
  {
    name: 'address translation',
    option: 'CONFIG_NFT_NAT',
    module: 'nft_nat',
    without: 'missing',
    use: 'published ports and the way out of containers',
    isThere: moduleLoaded('nft_nat'),
  },
  {
    name: 'connection tracking',
    option: 'CONFIG_NF_CONNTRACK',
    module: 'nf_conntrack',
    without: 'missing',
    use: 'published ports',
    isThere: moduleLoaded('nf_conntrack'),
  },
  {
    name: 'macvlan',
    option: 'CONFIG_MACVLAN',
    module: 'macvlan',
    without: 'warn',
    use: 'macvlan networks',
    isThere: moduleLoaded('macvlan'),
  },
  {
    name: 'vxlan',
    option: 'CONFIG_VXLAN',
    module: 'vxlan',
    without: 'warn',
    use: 'overlay networks',
    isThere: moduleLoaded('vxlan'),
  },
];

export async function lookAtKernel(machine: Machine): Promise<Look[]> {
  return [kernelVersion(machine), nodeVersion(), ...(await Promise.all(facilities.map((it) => facility(it, machine))))];
}

function kernelVersion({ kernel }: Machine): Look {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const [wantedMajor, wantedMinor] = oldestKernel;
  const isNew = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  if (isNew) return ok('version', kernel);
  return missing('version', kernel, `boot Linux ${oldestKernel.join('.')} or newer`);
}

function nodeVersion(): Look {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major >= oldestNode) return ok('node', process.versions.node);
  return missing('node', process.versions.node, `install Node ${oldestNode} or newer: apt-get install nodejs`);
}

async function facility({ name, option, module, without, use, isThere }: Facility, machine: Machine): Promise<Look> {
  if (await isThere?.(machine)) return ok(name, 'there');
  const built = await machine.kernelOption(option);
  if (built === 'y') return ok(name, 'built in');
  if (module !== undefined && (await isLoadable(module, machine))) return ok(name, 'module, loaded when it is needed');
  if (built === 'm') return warn(name, 'module that is not loaded', `needed for ${use}: modprobe ${module}`);
  if (!(await machine.tellsKernelOptions()))
    return warn(name, 'cannot be told: neither loaded nor to be read from the kernel', `needed for ${use}`);
  const cure =
    module === undefined ? `boot a kernel with ${option}` : `modprobe ${module}, or boot a kernel with ${option}`;
  return (without === 'missing' ? missing : warn)(name, 'not found', `needed for ${use}: ${cure}`);
}

async function isLoadable(module: string, machine: Machine): Promise<boolean> {
  return (await machine.run('modprobe', '--dry-run', '--quiet', module)) !== undefined;
}
