import { type Look, missing, ok, warn } from './finding';
import type { Machine } from './machine';

interface Program {
  /** Alternatives, the first one found counts. */
  readonly names: readonly string[];
  /** Debian's. */
  readonly package: string;
  readonly use: string;
  readonly required?: boolean;
  readonly versionFlag?: string;
}

/** Every program of the system that the daemon and its bundled plugins run. */
export const programs: readonly Program[] = [
  {
    names: ['containerd-shim-runc-v2'],
    package: 'containerd',
    use: 'supervises each container',
    required: true,
    versionFlag: '-v',
  },
  { names: ['runc'], package: 'runc', use: 'the default OCI runtime', required: true, versionFlag: '--version' },
  {
    names: ['nft', 'iptables'],
    package: 'nftables',
    use: 'published ports and address translation',
    required: true,
    versionFlag: '--version',
  },
  {
    names: ['ip'],
    package: 'iproute2',
    use: 'fall-back for links, addresses and routes',
    required: true,
    versionFlag: '-V',
  },
  { names: ['crun'], package: 'crun', use: 'docker run --runtime crun', versionFlag: '--version' },
  {
    names: ['docker-init', 'tini-static', 'tini'],
    package: 'tini',
    use: 'docker run --init',
    versionFlag: '--version',
  },
  {
    names: ['apparmor_parser'],
    package: 'apparmor',
    use: 'the AppArmor profile of containers, where the kernel has AppArmor',
    versionFlag: '--version',
  },
  { names: ['ps'], package: 'procps', use: 'docker top', versionFlag: '--version' },
  {
    names: ['zstd'],
    package: 'zstd',
    use: 'faster unpacking of layers compressed with zstd',
    versionFlag: '--version',
  },
  {
    names: ['xz'],
    package: 'xz-utils',
    use: 'image archives and build contexts compressed with xz',
    versionFlag: '--version',
  },
  { names: ['bzip2'], package: 'bzip2', use: 'build contexts compressed with bzip2', versionFlag: '--help' },
  { names: ['criu'], package: 'criu', use: 'checkpoints of containers', versionFlag: '--version' },
  { names: ['git'], package: 'git', use: 'builds from git repositories', versionFlag: '--version' },
  { names: ['modprobe'], package: 'kmod', use: 'loading what the kernel has as modules', versionFlag: '--version' },
  { names: ['docker'], package: 'docker-cli', use: 'the command line client', versionFlag: '--version' },
];

export const lookAtPrograms = (machine: Machine): Promise<Look[]> =>
  Promise.all(programs.map((program) => lookAt(program, machine)));

async function lookAt(program: Program, machine: Machine): Promise<Look> {
  const [name] = program.names;
  const path = program.names.map((each) => machine.find(each)).find((each) => each !== undefined);
  if (path === undefined)
    return (program.required ? missing : warn)(
      name!,
      'not installed',
      `needed for ${program.use}: apt-get install ${program.package}`,
    );
  const said = program.versionFlag && (await machine.run(path, program.versionFlag));
  const version = /\bv?(\d+(?:[.:]\d+)+\S*)/.exec(said || '')?.[1]?.replace(/,$/, '');
  return ok(name!, version === undefined ? path : `${version} (${path})`);
}
