import type { SystemInfo } from '@gantry/sdk';
import { renderListItem, statusText } from './api/render-list';
import { shownImages } from './api/shown-images';
import { readCdiDevices } from './cdi/cdi-devices';
import { type Component, INIT_NAME, runtimeComponents } from './components';
import type { Engine } from './engine';
import { countStates } from './metrics';
import { SizeCache } from './size-cache';

/** What the engine tells GET /info and GET /system/df. */
export function systemInfo(engine: Engine): SystemInfo {
  const components = runtimeComponents(engine);
  const sizes = new SizeCache(engine.events, engine.images);
  return {
    components,
    async info() {
      const { host, settings } = engine;
      const count = countStates(engine);
      const programs = await components();
      const init = programs.find(({ Name }) => Name === INIT_NAME);
      const commit = (program?: Component) => ({ ID: program?.Details.GitCommit || program?.Version || 'N/A' });
      const discovered = [...(await readCdiDevices(settings.cdiSpecDirs)).edits.keys()]
        .sort()
        .map((ID) => ({ Source: 'cdi', ID }));
      const profile = settings.seccompProfile ?? 'builtin';
      return {
        Containers: engine.index.size,
        ContainersRunning: count.running,
        ContainersPaused: count.paused,
        ContainersStopped: count.stopped,
        DefaultRuntime: settings.defaultRuntime,
        Runtimes: await runtimes(engine),
        // Of the default runtime, whichever that is.
        RuncCommit: commit(programs.find((program) => program !== init)),
        InitCommit: commit(init),
        CgroupDriver: settings.cgroupDriver,
        CgroupVersion: String(host.cgroupVersion),
        InitBinary: host.initPath?.split('/').pop() ?? '',
        SecurityOptions: [
          ...(host.appArmor ? ['name=apparmor'] : []),
          ...(host.hasSeccomp ? [`name=seccomp,profile=${profile}`] : []),
          ...(host.cgroupVersion === 2 || settings.defaultCgroupnsMode === 'private' ? ['name=cgroupns'] : []),
          ...(settings.noNewPrivileges ? ['name=no-new-privileges'] : []),
        ],
        LiveRestoreEnabled: settings.liveRestore,
        MemoryLimit: host.limits.memory,
        SwapLimit: host.limits.swap,
        CpuCfsPeriod: host.limits.cpuQuota,
        CpuCfsQuota: host.limits.cpuQuota,
        CPUShares: host.limits.cpuShares,
        CPUSet: host.limits.cpuset,
        PidsLimit: host.limits.pids,
        OomKillDisable: host.limits.oomKillDisable,
        CDISpecDirs: settings.cdiSpecDirs,
        ...(discovered.length > 0 ? { DiscoveredDevices: discovered } : {}),
        Warnings: limitWarnings(engine),
      };
    },
    async diskUsage(types) {
      if (!types.has('container')) return {};
      const nowMs = engine.clock.now().getTime();
      const containers = engine.index.all();
      const shown = await shownImages(containers, engine);
      const Containers = await Promise.all(
        containers.map(async (container) => {
          const { sizeRw, sizeRootFs } = await sizes.sizeOf(container);
          return {
            ...renderListItem(
              container,
              { status: statusText(container, nowMs).text, image: shown(container) },
              engine,
            ),
            SizeRw: sizeRw,
            SizeRootFs: sizeRootFs,
          };
        }),
      );
      return { Containers };
    },
  };
}

function limitWarnings({ host: { limits, cgroupVersion } }: Engine): string[] {
  const missing: [boolean, string][] = [
    [limits.memory, 'memory limit'],
    [limits.swap, 'swap limit'],
    [limits.pids, 'pids limit'],
    [limits.oomKillDisable || cgroupVersion === 2, 'oom kill disable'],
    [limits.cpuQuota, 'cpu cfs quota'],
    [limits.cpuQuota, 'cpu cfs period'],
    [limits.cpuShares, 'cpu shares'],
    [limits.cpuset, 'cpuset'],
  ];
  return missing.filter(([there]) => !there).map(([, what]) => `WARNING: No ${what} support`);
}

/** The key of a runtime's features in its status, as dockerd names it. */
const FEATURES = 'org.opencontainers.runtime-spec.features';

async function runtimes({ runtimes, settings }: Engine): Promise<Record<string, unknown>> {
  const shown = runtimes.entries().map(async ([name, runtime]) => {
    const [version, features] = await Promise.all([
      runtime.version().catch(() => undefined),
      runtime.features?.().catch(() => undefined),
    ]);
    // A runtime whose binary is missing cannot run anything: it is not offered.
    if (version === undefined && name !== settings.defaultRuntime) return [];
    const setting = settings.runtimes[name] ?? {};
    const path = setting.path ?? (name === 'crun' ? 'crun' : 'runc');
    return [
      [
        name,
        {
          ...(setting.runtimeType ? {} : { path }),
          ...setting,
          ...(features === undefined ? {} : { status: { [FEATURES]: features } }),
        },
      ],
    ];
  });
  return Object.fromEntries((await Promise.all(shown)).flat());
}
