import { type Look, missing, ok, warn } from './finding';
import type { Machine } from './machine';

const root = '/sys/fs/cgroup';

/** What each controller is for, and whether containers can do without. */
const controllers = [
  { v1: 'memory', v2: 'memory', without: 'warn', use: 'docker run --memory' },
  { v1: 'cpu', v2: 'cpu', without: 'warn', use: 'docker run --cpus' },
  { v1: 'cpuset', v2: 'cpuset', without: 'warn', use: 'docker run --cpuset-cpus' },
  { v1: 'pids', v2: 'pids', without: 'warn', use: 'docker run --pids-limit' },
  { v1: 'blkio', v2: 'io', without: 'warn', use: 'docker run --device-write-bps' },
  { v1: 'devices', v2: undefined, without: 'missing', use: 'access to devices' },
  { v1: 'freezer', v2: undefined, without: 'warn', use: 'docker pause' },
] as const;

export async function lookAtCgroups(machine: Machine): Promise<Look[]> {
  const unified = await machine.read(`${root}/cgroup.controllers`);
  const isUnified = unified !== undefined;
  const mounts = (await machine.read('/proc/mounts')) ?? '';
  const mounted = isUnified ? unified.trim().split(/\s+/) : mountedControllers(mounts);
  if (!isUnified && mounted.length === 0)
    return [missing('version', 'none mounted', `mount -t cgroup2 cgroup2 ${root}, or boot with systemd`)];
  const isHybrid = !isUnified && / cgroup2 /.test(mounts);
  const looks: Look[] = [ok('version', isUnified ? '2' : isHybrid ? '1, with the unified hierarchy beside it' : '1')];
  for (const { v1, v2, without, use } of controllers) {
    const name = isUnified ? v2 : v1;
    if (name === undefined) continue;
    const label = `controller ${name}`;
    if (mounted.includes(name)) looks.push(ok(label, 'there'));
    else
      looks.push(
        (without === 'missing' ? missing : warn)(label, 'not there', `needed for ${use}: ${cure(name, isUnified)}`),
      );
  }
  looks.push(await swap(machine, isUnified));
  if (machine.uid === 0) looks.push(await writable(mounts));
  return looks;
}

function mountedControllers(mounts: string): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup')
    .flatMap(([, , , options = '']) => options.split(','));
}

const cure = (name: string, isUnified: boolean) =>
  isUnified
    ? name === 'memory'
      ? 'boot with cgroup_enable=memory'
      : `echo +${name} > ${root}/cgroup.subtree_control, or boot a kernel with it`
    : `mount -t cgroup -o ${name} ${name} ${root}/${name}${name === 'memory' ? ', or boot with cgroup_enable=memory' : ''}`;

async function swap(machine: Machine, isUnified: boolean): Promise<Look> {
  const name = 'swap limits';
  // In version 2 the root group has no such file; the first group below it does.
  const there = isUnified
    ? (await machine.exists(`${root}/system.slice/memory.swap.max`)) ||
      (await machine.exists(`${root}/init.scope/memory.swap.max`)) ||
      (await machine.kernelOption('CONFIG_SWAP')) === 'y'
    : await machine.exists(`${root}/memory/memory.memsw.limit_in_bytes`);
  return there ? ok(name, 'there') : warn(name, 'not there', 'for docker run --memory-swap boot with swapaccount=1');
}

async function writable(mounts: string): Promise<Look> {
  const line = mounts.split('\n').find((each) => / cgroup2? /.test(each)) ?? '';
  const isReadOnly = /^ro(,|$)/.test(line.split(' ')[3] ?? '');
  if (!isReadOnly) return ok('writable', 'yes');
  return missing('writable', 'mounted read-only', `mount -o remount,rw ${line.split(' ')[1]}`);
}
