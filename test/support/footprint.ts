import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestDaemon } from './daemon';
import { processesOf } from './traces';

/** Spare shims and scripts of runtimes are the daemon's own and come with use; the memory of events grows. */
const restless = /\/(runtime-runc\/(pool|scripts)|events)(\/|$)/;

/**
 * Everything one daemon has on the machine at this moment: mounts, files, processes, control groups, links of its
 * bridge and rules of its packet filter, a line each. Equal before and after means that nothing was left.
 */
export async function footprint(daemon: TestDaemon): Promise<string[]> {
  const { folder, bridge, cgroupParent } = daemon;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(folder))
    .map((point) => `mount ${point}`);
  const files = [daemon.dataRoot, daemon.execRoot].flatMap(below).filter((path) => !restless.test(path));
  const processes = processesOf(folder)
    .filter(({ pid, cwd }) => pid !== daemon.pid && !restless.test(cwd))
    .map(({ line }) => `process ${line}`);
  const groups = controlGroups(cgroupParent);
  const links = execFileSync('ip', ['-o', 'link', 'show', 'master', bridge], { encoding: 'utf8' }).split('\n');
  const engine = (await daemon.api.get('/info')).json<{ ID: string }>().ID;
  const rules = execFileSync('nft', ['-s', 'list', 'table', 'inet', `gantry-${engine.slice(0, 8)}`], {
    encoding: 'utf8',
  });
  return [
    ...mounts,
    ...files.map((path) => `file ${path}`),
    ...processes,
    ...groups.map((path) => `cgroup ${path}`),
    ...links.filter((line) => line !== '').map((line) => `link ${line}`),
    ...rules.split('\n').map((line) => `rule ${line.trim()}`),
  ].sort();
}

/** What is in one and not in the other, marked + and -. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const old = new Set(before);
  const now = new Set(after);
  return [
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
    ...before.filter((line) => !now.has(line)).map((line) => `- ${line}`),
  ];
}

function controlGroups(parent: string): string[] {
  const hierarchies = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? ['/sys/fs/cgroup']
    : readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name));
  return hierarchies
    .map((root) => join(root, parent))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function below(root: string): string[] {
  return readdirSync(root, { withFileTypes: true, recursive: true }).map((entry) => join(entry.parentPath, entry.name));
}
