// What the kernel must offer, tried out where that is cheap: in a network namespace that ends with the probe.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findProgram } from './system-packages.mjs';

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/**
 * @param asRoot whether probes that need privileges can be made
 * @returns a line for every problem: what is missing and what would bring it; empty = the kernel will do
 */
export function kernelProblems(asRoot) {
  const problems = [];
  if (process.platform !== 'linux') return [`this is ${process.platform}; containers need Linux`];
  for (const namespace of ['mnt', 'uts', 'ipc', 'pid', 'net']) {
    if (!existsSync(`/proc/self/ns/${namespace}`)) problems.push(`no ${namespace} namespaces`);
  }
  if (!hasOverlay(asRoot))
    problems.push('no overlay file system: load the module with "modprobe overlay" (CONFIG_OVERLAY_FS)');
  problems.push(...cgroupProblems());
  if (asRoot) problems.push(...networkProblems());
  return problems;
}

function hasOverlay(asRoot) {
  const present = () => /\boverlay\b/.test(read('/proc/filesystems'));
  if (!present() && asRoot) modprobe('overlay');
  return present();
}

function cgroupProblems() {
  const unified = read('/sys/fs/cgroup/cgroup.controllers').split(/\s+/);
  const legacy = read('/proc/cgroups')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((fields) => fields[3] === '1')
    .map((fields) => fields[0]);
  const mounted = read('/proc/self/mounts');
  if (!/ cgroup2? /.test(mounted)) return ['no cgroup hierarchy is mounted at /sys/fs/cgroup'];
  return ['memory', 'cpu', 'pids']
    .filter((name) => !unified.includes(name) && !legacy.includes(name))
    .map((name) => `no ${name} cgroup controller`);
}

const networkProbes = [
  {
    tool: 'ip',
    module: 'bridge',
    script: 'ip link add gantry-b type bridge',
    what: 'no bridge devices (CONFIG_BRIDGE)',
  },
  {
    tool: 'ip',
    module: 'veth',
    script: 'ip link add gantry-v type veth peer name gantry-w',
    what: 'no veth pairs (CONFIG_VETH)',
  },
  {
    tool: 'nft',
    module: 'nf_tables',
    script: 'nft add table inet gantry',
    what: 'no nf_tables packet filter (CONFIG_NF_TABLES)',
  },
];

function networkProblems() {
  const unshare = findProgram('unshare');
  if (!unshare) return [];
  const usable = networkProbes.filter((probe) => findProgram(probe.tool));
  if (inNewNetwork(unshare, usable.map((probe) => probe.script).join(' && '))) return [];
  const failed = [];
  for (const probe of usable) {
    if (inNewNetwork(unshare, probe.script)) continue;
    modprobe(probe.module);
    if (!inNewNetwork(unshare, probe.script)) failed.push(`${probe.what}: try "modprobe ${probe.module}"`);
  }
  return failed;
}

function inNewNetwork(unshare, script) {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return spawnSync(unshare, ['--net', 'sh', '-c', script || 'true'], { stdio: 'ignore', env }).status === 0;
}

function modprobe(name) {
  const program = findProgram('modprobe');
  if (program) spawnSync(program, [name], { stdio: 'ignore' });
}
