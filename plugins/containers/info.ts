import type { SystemInfo } from '@gantry/sdk';
import { renderListItem, statusText } from './api/render-list';
import type { Engine } from './engine';

/** What the engine tells GET /info and GET /system/df. */
export function systemInfo(engine: Engine): SystemInfo {
  return {
    async info() {
      const { host, settings } = engine;
      const count = { running: 0, paused: 0, stopped: 0 };
      for (const { state } of engine.index.all()) {
        if (state.status === 'running' || state.status === 'restarting') count.running++;
        else if (state.status === 'paused') count.paused++;
        else count.stopped++;
      }
      const profile = settings.seccompProfile ?? 'builtin';
      return {
        Containers: engine.index.size,
        ContainersRunning: count.running,
        ContainersPaused: count.paused,
        ContainersStopped: count.stopped,
        DefaultRuntime: settings.defaultRuntime,
        Runtimes: await runtimes(engine),
        CgroupDriver: settings.cgroupDriver,
        CgroupVersion: String(host.cgroupVersion),
        InitBinary: host.initPath?.split('/').pop() ?? '',
        SecurityOptions: [
          ...(host.hasAppArmor ? ['name=apparmor'] : []),
          ...(host.hasSeccomp ? [`name=seccomp,profile=${profile}`] : []),
          ...(host.cgroupVersion === 2 || settings.defaultCgroupnsMode === 'private' ? ['name=cgroupns'] : []),
          ...(settings.noNewPrivileges ? ['name=no-new-privileges'] : []),
        ],
        LiveRestoreEnabled: settings.liveRestore,
        MemoryLimit: true,
        SwapLimit: host.swapAccounting,
        CpuCfsPeriod: true,
        CpuCfsQuota: true,
        CPUShares: true,
        CPUSet: true,
        PidsLimit: true,
        OomKillDisable: host.cgroupVersion === 1,
        Warnings: host.swapAccounting ? [] : ['WARNING: No swap limit support'],
      };
    },
    async diskUsage(types) {
      if (!types.has('container')) return {};
      const nowMs = engine.clock.now().getTime();
      const Containers = await Promise.all(
        engine.index.all().map(async (container) => {
          const { sizeRw, sizeRootFs } = await engine.images.rootFilesystemSize(container.id);
          return {
            ...renderListItem(container, statusText(container, nowMs).text, engine),
            SizeRw: sizeRw,
            SizeRootFs: sizeRootFs,
          };
        }),
      );
      return { Containers };
    },
  };
}

async function runtimes(engine: Engine): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  await Promise.all(
    engine.runtimes.entries().map(async ([name, runtime]) => {
      const version = await runtime.version().catch(() => undefined);
      // A runtime whose binary is missing cannot run anything: it is not offered.
      if (version || name === engine.settings.defaultRuntime) found[name] = { path: version?.path ?? name };
    }),
  );
  return found;
}
