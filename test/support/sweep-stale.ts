import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesOf } from './traces';

/**
 * Before the end-to-end tests: removes what an interrupted run left, a run whose process is gone. Its daemons and shims
 * would go on for ever, and its published ports would be redirected for ever.
 */
export default function sweepStale(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith('gantry-e2e-'))) {
    const folder = join(tmpdir(), name);
    const owner = read(join(folder, 'owner'));
    if (owner === '' || isAlive(owner)) continue;
    const engine = read(join(folder, 'data', 'engine-id'));
    // The daemon first, or it would start again what a restart policy says.
    for (const { pid } of processesOf(folder)) quietly(() => process.kill(pid, 'SIGKILL'));
    const groups = staleGroups(owner);
    groups.forEach(endProcesses);
    groups.forEach(removeGroup);
    for (const mount of mountsBelow(folder)) quietly(() => run('umount', '-l', mount));
    if (engine) quietly(() => run('nft', 'delete', 'table', 'inet', `gantry-${engine.slice(0, 8)}`));
    rmSync(folder, { recursive: true, force: true });
  }
  for (const link of readdirSync('/sys/class/net')) {
    const owner = /^gt(\d+)n\d+$/.exec(link)?.[1];
    if (owner && !isAlive(owner)) quietly(() => run('ip', 'link', 'delete', link));
  }
}

function staleGroups(owner: string): string[] {
  const hierarchies = readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((each) => each.isDirectory());
  const roots = ['/sys/fs/cgroup', ...hierarchies.map((each) => join('/sys/fs/cgroup', each.name))];
  return roots
    .flatMap((root) => readdirSync(root).map((name) => join(root, name)))
    .filter((path) => path.includes(`/gantry-e2e-${owner}-`));
}

/** Kills what runs in a control group and those below it. */
function endProcesses(group: string): void {
  for (const below of groupsBelow(group)) endProcesses(below);
  for (const pid of read(join(group, 'cgroup.procs')).split('\n').filter(Boolean)) {
    quietly(() => process.kill(Number(pid), 'SIGKILL'));
  }
  // A paused process cannot die.
  quietly(() => writeFileSync(join(group, 'freezer.state'), 'THAWED'));
  quietly(() => writeFileSync(join(group, 'cgroup.freeze'), '0'));
}

function removeGroup(group: string): void {
  for (const below of groupsBelow(group)) removeGroup(below);
  for (let tries = 0; tries < 20 && existsSync(group); tries++) {
    if (tries > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    quietly(() => rmdirSync(group));
  }
}

function groupsBelow(group: string): string[] {
  const entries = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map((entry) => join(group, entry.name));
}

function isAlive(pid: string): boolean {
  return /^\d+$/.test(pid) && existsSync(`/proc/${pid}`);
}

function mountsBelow(folder: string): string[] {
  return read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse();
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'ignore' });
}

function quietly(step: () => void): void {
  try {
    step();
  } catch {
    // Gone already, or held by something that is not ours.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
