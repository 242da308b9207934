import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DaemonSettings, errorMessage, systemError } from '@gantry/sdk';

/**
 * Gives the groups above a container their share of real-time scheduling: a group may have only what its parent has.
 * Does nothing unless the daemon was told how much.
 *
 * @param cgroupsPath of the container, as in its spec
 * @see kernel, scheduler/sched-rt-group
 */
export async function prepareRealtimeParent(
  cgroupsPath: string,
  cgroupVersion: 1 | 2,
  settings: Pick<DaemonSettings, 'cpuRealtimePeriodUs' | 'cpuRealtimeRuntimeUs' | 'cgroupDriver'>,
  root = '/sys/fs/cgroup/cpu',
): Promise<void> {
  const { cpuRealtimePeriodUs: period, cpuRealtimeRuntimeUs: runtime } = settings;
  if ((period === 0 && runtime === 0) || settings.cgroupDriver === 'systemd') return;
  if (cgroupVersion === 2)
    throw systemError(
      'daemon-scoped cpu-rt-period and cpu-rt-runtime are not implemented for cgroup v2: leave them out',
    );
  const parents = dirname(cgroupsPath).split('/').filter(Boolean);
  try {
    for (let depth = 1; depth <= parents.length; depth++) {
      const directory = join(root, ...parents.slice(0, depth));
      await mkdir(directory, { recursive: true });
      if (period > 0) await writeFile(join(directory, 'cpu.rt_period_us'), String(period));
      if (runtime > 0) await writeFile(join(directory, 'cpu.rt_runtime_us'), String(runtime));
    }
  } catch (error) {
    throw systemError(`cpu-rt-period and cpu-rt-runtime of the daemon could not be set: ${errorMessage(error)}`, error);
  }
}
