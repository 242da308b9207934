import { readdir } from 'node:fs/promises';
import { type Look, ok, warn } from './finding';
import type { Machine } from './machine';

const engines = new Set(['dockerd', 'podman', 'containerd', 'kubelet']);

/** Engines that run beside us: each needs its own socket, data root and bridge. */
export async function lookAtOtherEngines(machine: Machine, ownPid: number | undefined): Promise<Look[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name) && Number(name) !== ownPid);
  const found: string[] = [];
  for (const pid of pids) {
    const name = (await machine.read(`/proc/${pid}/comm`))?.trim() ?? '';
    if (engines.has(name)) found.push(`${name} (PID ${pid})`);
  }
  if (found.length === 0) return [ok('other engines', 'none')];
  return [
    warn(
      'other engines',
      found.join(', '),
      'nothing is shared with them: use a --bridge, --data-root and -H of our own',
    ),
  ];
}
