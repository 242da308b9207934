import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonSettings, invalidParameter, type OciMount, type OciSpec, systemError } from '@gantry/sdk';
import {
  DEFAULT_CAPABILITIES,
  DEFAULT_DEVICE_RULES,
  defaultMounts,
  devicesAt,
  MASKED_PATHS,
  type OciDevice,
  type OciDeviceRule,
  READONLY_PATHS,
} from '@gantry/sdk/oci';
import { capabilitiesOf } from '../config/plugin-config';
import type { InstalledPlugin } from '../records/plugin-record';
import { type PluginPaths, pluginLogs, pluginSockets } from './plugin-paths';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface SpecSurroundings {
  readonly rootPath: string;
  readonly paths: PluginPaths;
  readonly settings: Pick<DaemonSettings, 'cgroupParent' | 'cgroupDriver'>;
  /** The daemon's metrics, for those who collect them. */
  readonly metricsSocket?: string;
}

/**
 * What the runtime is told about a plugin (P-RUN-1, P-RUN-2). Folders of the daemon's own are made.
 *
 * @throws system             a mount or a device has no source, or it does not exist
 * @throws invalid-parameter  nothing to run
 */
export async function pluginSpec(plugin: InstalledPlugin, surroundings: SpecSurroundings): Promise<OciSpec> {
  const { config, settings } = plugin;
  const { rootPath, settings: daemon } = surroundings;
  const args = [...(config.Entrypoint ?? []), ...settings.Args].filter((arg, index) => index > 0 || arg !== '');
  if (args.length === 0) throw invalidParameter(`plugin ${plugin.name} has neither an entrypoint nor arguments`);
  const capabilities = [...new Set([...DEFAULT_CAPABILITIES, ...(config.Linux.Capabilities ?? [])])];
  const { devices, rules } = await pluginDevices(plugin);
  const shared = (type: 'network' | 'pid' | 'ipc') =>
    (type === 'network' && config.Network.Type === 'host') ||
    (type === 'pid' && config.PidHost) ||
    (type === 'ipc' && config.IpcHost);
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: [PATH, ...settings.Env],
      cwd: config.WorkDir || '/',
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
    },
    root: { path: rootPath },
    mounts: await pluginMounts(plugin, surroundings),
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'uts' },
        ...(['network', 'pid', 'ipc'] as const).filter((type) => !shared(type)).map((type) => ({ type })),
      ],
      cgroupsPath:
        daemon.cgroupDriver === 'systemd'
          ? `${daemon.cgroupParent || 'system.slice'}:docker:${plugin.id}`
          : join('/', daemon.cgroupParent || 'docker', plugin.id),
      resources: {
        devices: config.Linux.AllowAllDevices
          ? [{ allow: true, access: 'rwm' }, ...rules]
          : [...DEFAULT_DEVICE_RULES, ...rules],
      },
      ...(devices.length > 0 ? { devices } : {}),
      ...(config.PropagatedMount === '' ? {} : { rootfsPropagation: 'rshared' }),
      maskedPaths: [...MASKED_PATHS],
      readonlyPaths: [...READONLY_PATHS],
    },
  };
}

async function pluginMounts(plugin: InstalledPlugin, { paths, metricsSocket }: SpecSurroundings): Promise<OciMount[]> {
  const { config, settings } = plugin;
  const bind = (source: string, destination: string, ...options: string[]): OciMount => ({
    destination,
    type: 'bind',
    source,
    options,
  });
  await mkdir(paths.sockets, { recursive: true, mode: 0o700 });
  const own: OciMount[] = [bind(paths.sockets, pluginSockets, 'rbind', 'rshared')];
  if (config.PropagatedMount !== '') own.push(bind(paths.propagated, config.PropagatedMount, 'rbind', 'rw', 'rshared'));
  if (config.Network.Type !== '')
    for (const file of ['/etc/hosts', '/etc/resolv.conf']) own.push(bind(file, file, 'rbind', 'ro'));
  if (capabilitiesOf(config).includes('logdriver')) {
    await mkdir(paths.logs, { recursive: true, mode: 0o700 });
    own.push(bind(paths.logs, pluginLogs, 'rbind'));
  }
  if (metricsSocket !== undefined) own.push(bind(metricsSocket, '/run/docker/metrics.sock', 'rbind', 'ro'));

  const asked: OciMount[] = [];
  for (const { Name, Source, Destination, Type, Options } of settings.Mounts) {
    if (Source === null)
      throw systemError(
        `mount source is not specified: "docker plugin set ${plugin.name} ${Name}.source=<path>" gives one`,
      );
    const isBind = Type === 'bind' || (Options ?? []).some((option) => option === 'bind' || option === 'rbind');
    if (isBind)
      await access(Source).catch((error: unknown) => {
        throw systemError(`mount "${Name}" of plugin ${plugin.name}: ${Source} does not exist on this machine`, error);
      });
    asked.push({ destination: Destination, type: Type, source: Source, options: [...(Options ?? [])] });
  }
  const taken = new Set(asked.map(({ destination }) => destination));
  const shm: OciMount = {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777'],
  };
  const usual = [...defaultMounts(), shm].filter(({ destination }) => !taken.has(destination));
  // A mount below another one must come after it.
  const depth = ({ destination }: OciMount) => destination.split('/').filter(Boolean).length;
  return [...usual, ...[...own, ...asked].sort((a, b) => depth(a) - depth(b))];
}

async function pluginDevices(plugin: InstalledPlugin): Promise<{ devices: OciDevice[]; rules: OciDeviceRule[] }> {
  const devices: OciDevice[] = [];
  for (const { Name, Path } of plugin.settings.Devices) {
    if (Path === null)
      throw systemError(
        `device path is not specified: "docker plugin set ${plugin.name} ${Name}.path=<path>" gives one`,
      );
    devices.push(...(await devicesAt(Path, Path)));
  }
  const rules = devices.map(({ type, major, minor }) => ({ allow: true, type, major, minor, access: 'rwm' }));
  return { devices, rules };
}
