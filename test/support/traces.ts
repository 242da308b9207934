import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually';
import { loopsOf } from './loop-device';

export interface TraceScope {
  /** Data root, exec root and socket lie under it. */
  readonly folder: string;
  readonly bridge: string;
  /** Absolute cgroup path. */
  readonly cgroupParent: string;
}

/**
 * What one daemon can leave on a machine: mounts, processes, network namespaces, links, packet filter tables, control
 * groups. Only what can be told to be that daemon's is counted, so that others may work on the machine meanwhile; links
 * without an owner's mark are counted only when GANTRY_SHARED_MACHINE is not set.
 */
export class Traces {
  private readonly before = links();
  private readonly bridges = new Set<string>();

  constructor(private readonly scope: TraceScope) {}

  noteNetwork(id: string): void {
    this.bridges.add(`br-${id.slice(0, 12)}`);
  }

  /** Waits up to five seconds for the kernel to finish, then names what is still there. */
  async left(): Promise<string[]> {
    let found: string[] = [];
    const clean = () => {
      found = this.find();
      return found.length === 0;
    };
    await eventually('a clean machine', clean, 5000).catch(() => {});
    return found;
  }

  /** Removes what is ours, so that one suite's leak, once reported, does not stay on the machine. */
  sweep(): void {
    for (const table of tablesOf(this.scope.folder)) quietly('nft', ['delete', 'table', 'inet', table]);
    if (links().includes(this.scope.bridge)) quietly('ip', ['link', 'delete', this.scope.bridge]);
    for (const folder of this.cgroups()) removeCgroup(folder);
  }

  private find(): string[] {
    const { folder } = this.scope;
    const mounts = read('/proc/self/mountinfo')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => point.startsWith(folder))
      .map((point) => `mount ${point}`);
    return [
      ...mounts,
      ...loopsOf(folder).map((line) => `loop device ${line}`),
      ...this.processes(),
      ...this.links(),
      ...rulesOf(folder),
      ...this.cgroupsLeft(),
    ];
  }

  private processes(): string[] {
    return processesOf(this.scope.folder).map(({ pid, line }) => `process ${pid}: ${line}`);
  }

  private links(): string[] {
    const shared = process.env.GANTRY_SHARED_MACHINE !== undefined;
    return (
      links()
        // The bridge of another run's daemon is that run's affair, the cable of a peer host that of its suite.
        .filter((name) => !/^g[tp]\d+n\d+$/.test(name) && !this.before.includes(name))
        .filter((name) => this.bridges.has(name) || !shared)
        .map((name) => `link ${name}`)
    );
  }

  private cgroupsLeft(): string[] {
    return this.cgroups()
      .flatMap((folder) => readdirSync(folder, { withFileTypes: true }).map((entry) => ({ folder, entry })))
      .filter(({ entry }) => entry.isDirectory())
      .map(({ folder, entry }) => `cgroup ${join(folder, entry.name)}`);
  }

  private cgroups(): string[] {
    const hierarchies = existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? ['/sys/fs/cgroup']
      : readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name));
    return hierarchies.map((root) => join(root, this.scope.cgroupParent)).filter((folder) => existsSync(folder));
  }
}

/** What the packet filter holds of daemons with their data below the folder, whether they run or not. */
export function rulesOf(folder: string): string[] {
  const tables = tablesOf(folder).filter((name) => said('nft', 'list', 'tables').split(/\s+/).includes(name));
  const rules = tablesOf(folder).filter((name) => said('iptables-save').includes(`${name}/`));
  return [...tables.map((name) => `table ${name}`), ...rules.map((name) => `rules of iptables of ${name}`)];
}

/** Names of the packet filter tables of daemons with their data below the folder. */
function tablesOf(folder: string): string[] {
  return readdirSync(folder)
    .map((name) => read(join(folder, name, 'engine-id')).slice(0, 8))
    .filter((engine) => engine !== '')
    .map((engine) => `gantry-${engine}`);
}

/** Processes that name the folder in their command line or work below it, as a container's shim does. */
export function processesOf(folder: string): { pid: number; line: string; cwd: string }[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .map((pid) => ({
      pid: Number(pid),
      line: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
      cwd: linkTarget(`/proc/${pid}/cwd`),
    }))
    .filter(({ line, cwd }) => line.includes(folder) || cwd.startsWith(`${folder}/`));
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function links(): string[] {
  return readdirSync('/sys/class/net');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function said(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
}

function quietly(command: string, args: string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    // Gone already.
  }
}

function removeCgroup(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty: left() has named what is in it.
  }
}
