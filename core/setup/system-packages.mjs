// The programs the daemon drives, the Debian packages that hold them, and how they are brought in with apt.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const searchPath = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/bin',
  '/bin',
];

/**
 * Every system program in use. `needed`: "run" to serve containers, "test" for the test suite only.
 * An `optional` one is worth a line of warning and no more; one that is optional to "run" the tests need. With `single`, one file is taken out of the package, because
 * installing the whole package would bring in a service that starts by itself.
 */
const programs = [
  {
    command: 'containerd-shim-runc-v2',
    packages: ['containerd'],
    why: 'supervises each container (only this shim is used; the containerd service need not run)',
  },
  { command: 'runc', packages: ['runc'], why: 'the default OCI runtime' },
  { command: 'nft', packages: ['nftables'], why: 'published ports and address translation' },
  { command: 'ip', packages: ['iproute2'], why: 'fall-back for links, addresses and routes' },
  {
    command: 'busybox',
    packages: ['busybox-static'],
    why: 'the image that "npm run hello" and the tests are made of',
    test: isStaticExecutable,
  },
  { command: 'crun', packages: ['crun'], why: 'a second OCI runtime, chosen with --runtime crun', optional: true },
  { command: 'criu', packages: ['criu'], why: 'writes and reads checkpoints of containers', optional: true },
  { command: 'zstd', packages: ['zstd'], why: 'unpacks image layers compressed with zstd faster', optional: 'run' },
  {
    command: 'xz',
    packages: ['xz-utils'],
    why: 'unpacks image archives and build contexts compressed with xz',
    optional: 'run',
  },
  { command: 'bzip2', packages: ['bzip2'], why: 'unpacks build contexts compressed with bzip2', optional: 'run' },
  { command: 'git', packages: ['git'], why: 'fetches git repositories to build from', optional: 'run' },
  { command: 'tini', packages: ['tini'], why: 'the first process of docker run --init', optional: 'run' },
  {
    command: 'apparmor_parser',
    packages: ['apparmor'],
    why: 'loads the AppArmor profile of containers, where the kernel has AppArmor',
    optional: 'run',
  },
  { command: 'ps', packages: ['procps'], why: 'lists processes for docker top', optional: 'run' },
  {
    command: 'docker',
    packages: ['docker-cli'],
    single: { package: 'docker.io', file: './usr/bin/docker', to: '/usr/local/bin/docker' },
    why: 'the command line client; no other daemon is installed or started',
    optional: 'run',
  },
  {
    command: 'docker-registry',
    packages: [],
    single: { package: 'docker-registry', file: './usr/bin/docker-registry', to: '/usr/local/bin/docker-registry' },
    why: 'a registry on the loopback address for the tests',
    needed: 'test',
  },
  { command: 'rsyslogd', packages: ['rsyslog'], why: 'receives what the syslog driver sends', needed: 'test' },
  { command: 'systemd-analyze', packages: ['systemd'], why: 'judges the unit files', needed: 'test' },
  { command: 'script', packages: ['bsdutils'], why: 'gives the tests a terminal', needed: 'test' },
  { command: 'stty', packages: ['coreutils'], why: 'resizes that terminal', needed: 'test' },
  { command: 'iptables', packages: ['iptables'], why: 'plays the other program that filters packets', needed: 'test' },
  {
    command: 'python3',
    packages: ['python3'],
    why: 'runs the example of a plugin in another language',
    needed: 'test',
  },
  {
    command: 'python3',
    packages: ['python3-docker'],
    why: 'a client in another language for the tests',
    test: hasDockerPackage,
    needed: 'test',
  },
  { command: 'mkfs.ext4', packages: ['e2fsprogs'], why: 'makes file systems for volumes of the tests', needed: 'test' },
  { command: 'mkfs.xfs', packages: ['xfsprogs'], why: 'makes file systems for volumes of the tests', needed: 'test' },
  {
    command: 'mkfs.btrfs',
    packages: ['btrfs-progs'],
    why: 'makes file systems for volumes of the tests',
    needed: 'test',
  },
  { command: 'openssl', packages: ['openssl'], why: 'makes the certificates of the tests', needed: 'test' },
  {
    command: 'skopeo',
    packages: ['skopeo'],
    why: 'another program that reads and writes images, for the tests',
    needed: 'test',
  },
  { command: 'rclone', packages: ['rclone'], why: 'a volume plugin of other people, for the tests', needed: 'test' },
  { command: 'fusermount', packages: ['fuse3'], why: 'mounts its volumes', needed: 'test' },
  { command: 'curl', packages: ['curl'], why: 'asks the daemon as any client would', needed: 'test' },
];

/** @returns the path of a program on PATH or in the system's sbin folders, or undefined */
export function findProgram(command, test = () => true) {
  for (const folder of searchPath) {
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      if (folder && test(path)) return path;
    } catch {
      // Not there, or not to be run: the next folder may have it.
    }
  }
  return undefined;
}

/** @returns the programs that are not there, each with `required` for the purpose at hand ("run" or "test") */
export function missingPrograms(purpose) {
  return programs
    .filter((p) => purpose === 'test' || (p.needed ?? 'run') === 'run')
    .filter((p) => !findProgram(p.command, p.test))
    .map((p) => ({ ...p, required: p.optional === undefined || (p.optional === 'run' && purpose === 'test') }));
}

/** One readable line for a missing program. */
export function describe(program) {
  const from = program.packages[0] ?? program.single?.package;
  return `${program.command} (package ${from}): ${program.why}${program.required ? '' : ' [optional]'}`;
}

/** What a person types to get these programs without us. */
export function manualCommands(missing) {
  const names = [...new Set(missing.flatMap((p) => p.packages.slice(0, 1)))];
  const lines = names.length ? [`apt-get install --no-install-recommends ${names.join(' ')}`] : [];
  for (const { single } of missing) {
    if (!single) continue;
    lines.push(
      `apt-get download ${single.package} && dpkg-deb --fsys-tarfile ${single.package}_*.deb | tar -xO ${single.file} > ${single.to} && chmod +x ${single.to}`,
    );
  }
  return lines;
}

/** Installs what is missing. An optional program that cannot be had is left out; the caller looks again afterwards. */
export function installWithApt(missing) {
  const releaseServices = holdServices();
  try {
    if (!run('apt-get', ['-q', 'update'], 'read the package lists'))
      console.warn('  the package lists could not be renewed; trying with those at hand');
    const required = missing.filter((p) => p.required && p.packages.length && hasCandidate(p.packages[0]));
    if (required.length) installPackages([...new Set(required.flatMap((p) => p.packages))]);
    for (const program of missing) {
      if (required.includes(program)) continue;
      const name = program.packages[0];
      if (name && hasCandidate(name)) installPackages([name]);
      else if (program.single) takeOneFile(program.single);
      else console.warn(`  ${program.command}: this system has no package ${name}`);
    }
  } finally {
    releaseServices();
  }
}

function installPackages(names) {
  run(
    'apt-get',
    ['-q', 'install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names],
    `install ${names.join(', ')}`,
  );
}

function takeOneFile({ package: name, file, to }) {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-setup-'));
  try {
    // apt downloads as an unprivileged user, who must be able to write here.
    spawnSync('chmod', ['0777', folder]);
    if (!run('apt-get', ['-q', 'download', name], `take ${to} out of ${name}`, { cwd: folder })) return;
    mkdirSync(dirname(to), { recursive: true });
    const script =
      'set -e; dpkg-deb --fsys-tarfile ./*.deb | tar -xO "$1" > "$2.part"; test -s "$2.part"; chmod 0755 "$2.part"; mv "$2.part" "$2"';
    run('sh', ['-c', script, 'sh', file, to], `write ${to}`, { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hasCandidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return /Candidate: (?!\(none\))/.test(stdout ?? '');
}

function run(command, args, what, options = {}) {
  console.log(`  ${what}: ${command} ${args.join(' ').slice(0, 200)}`);
  const result = spawnSync(command, args, {
    ...options,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' },
  });
  if (result.status === 0) return true;
  console.warn(`  ${what}: failed (${result.error?.message ?? `exit code ${result.status}`})`);
  console.warn(
    `${result.stdout ?? ''}${result.stderr ?? ''}`
      .trim()
      .split('\n')
      .slice(-8)
      .map((line) => `    ${line}`)
      .join('\n'),
  );
  return false;
}

/** While we install, no package may start a service of its own (containerd would). Debian's policy-rc.d says so. */
function holdServices() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const release = () => rmSync(policy, { force: true });
  process.once('exit', release);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])
    process.once(signal, () => process.exit(code));
  return release;
}

/** The package "docker" for Python. Debian's own interpreter is the one Debian's package belongs to; others on PATH do not count. */
function hasDockerPackage(path) {
  return path === '/usr/bin/python3' && spawnSync(path, ['-c', 'import docker'], { stdio: 'ignore' }).status === 0;
}

/** A dynamically linked busybox would not run inside an image that holds nothing else. */
function isStaticExecutable(path) {
  const file = readFileSync(path);
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2) return false;
  const headers = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  const interpreter = 3;
  for (let i = 0; i < file.readUInt16LE(56); i++)
    if (file.readUInt32LE(headers + i * size) === interpreter) return false;
  return true;
}
