import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { CleanupStack, conflict, formatTimeNs, type ImageSummary, invalidParameter, notFound } from '@gantry/sdk';
import { validateDeviceRequests } from '../cdi/device-requests';
import type { ContainerConfig, EndpointSettings, HostConfig } from '../config/container-config';
import { type Engine, publish } from '../engine';
import { within } from '../error-context';
import { askCreateHooks } from '../hooks/spec-hooks';
import type { ContainerRecord, MountPoint } from '../records/container-record';
import { checkName, generateName } from '../records/names';
import { Container } from '../run/container';
import { endpointRequest } from '../run/sandbox-request';
import { createdState } from '../run/state';
import { pathInRoot } from '../spec/path-in-root';
import { completeHostConfig } from './complete-host-config';
import { commandOf, mergeConfig } from './merge-config';
import type { PlannedMount } from './mounts';
import { planMounts } from './plan-mounts';
import { validateContainer } from './validate';
import { parseLink } from './validate-network';
import { adaptLimits } from './validate-resources';

export interface CreateRequest {
  /** 64 hex digits; absent = random ones. */
  readonly id?: string;
  /** Empty = a generated one. */
  readonly name: string;
  /** `linux/amd64`; empty = the image's. */
  readonly platform: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** Read-only mounts are so with all that is mounted below them, where the kernel can; default true. */
  readonly readOnlyRecursive?: boolean;
  /** What the client is told besides. */
  readonly warnings?: readonly string[];
}

/**
 * Makes a container: its record, its writable layer and its volumes. It does not run yet.
 *
 * @throws not-found          `No such image: x:latest`
 * @throws conflict           the name is in use
 * @throws invalid-parameter  a field is wrong; nothing was made
 */
export async function createContainer(
  asked: CreateRequest,
  engine: Engine,
  signal: AbortSignal,
): Promise<{ id: string; warnings: string[] }> {
  const id = asked.id ?? randomBytes(32).toString('hex');
  const wantedName = asked.name === '' ? undefined : checkName(asked.name);
  if (asked.config.Image === '') throw invalidParameter('no image specified: Config.Image is empty');
  const image = await engine.images.resolve(asked.config.Image);
  assertPlatform(asked.platform, image, asked.config.Image);
  const { request, patches } = await askCreateHooks(asked, image, engine, signal);

  const config = mergeConfig(request.config, image.config);
  const completed = completeHostConfig(request.hostConfig, engine);
  const askedPorts = request.config.ExposedPorts ?? {};
  const warnings = [
    ...(request.warnings ?? []),
    ...validateContainer(config, completed, engine.settings, engine.host, askedPorts),
  ];
  const limits = adaptLimits(completed, engine.host.limits);
  const hostConfig = limits.host;
  warnings.push(...limits.warnings);
  if (hostConfig.Mounts?.some(({ Type }) => Type === 'image')) warnings.push('Image mount is an experimental feature');
  await validateDeviceRequests(hostConfig.DeviceRequests ?? [], engine.settings.cdiSpecDirs);
  const storageOptions = hostConfig.StorageOpt ?? {};
  engine.images.checkStorageOptions(storageOptions);
  resolveLinks(hostConfig, engine);
  const log = engine.logs.resolveConfig({ type: hostConfig.LogConfig.Type, options: hostConfig.LogConfig.Config });
  hostConfig.LogConfig = { Type: log.type, Config: { ...log.options } };
  await engine.logs.validate(log.type, log.options);
  if (engine.runtimes.get(hostConfig.Runtime) === undefined)
    throw invalidParameter(`unknown or invalid runtime name: ${hostConfig.Runtime}`);
  const networks = requestedNetworks(request, hostConfig, engine.settings.bridge.name !== 'none');
  for (const [network, settings] of Object.entries(networks)) checkEndpoint(network, settings, engine);
  const planned = nameAnonymous(await planMounts(config, hostConfig, engine, request.readOnlyRecursive ?? true));
  if (config.Hostname === '') config.Hostname = hostConfig.NetworkMode === 'host' ? hostname() : id.slice(0, 12);

  const undo = new CleanupStack();
  try {
    const name = wantedName ?? generateName((taken) => engine.index.isNameTaken(taken));
    engine.index.reserveName(name, id);
    undo.push(() => engine.index.releaseName(name, id));
    const anonymous = planned.filter((mount) => mount.anonymous).map((mount) => mount.name);
    if (anonymous.length > 0) {
      undo.push(() => engine.store.remove(id));
      await engine.store.noteVolumes(id, anonymous);
    }
    const [rootFilesystem, mounts] = await both(
      engine.images.createRootFilesystem(id, image.id, { storageOptions }).then((made) => {
        undo.push(() => engine.images.removeRootFilesystem(id));
        return made;
      }),
      createVolumes(planned, id, engine, undo, signal),
    );
    const command = commandOf(config);
    const record: ContainerRecord = {
      version: 1,
      id,
      name,
      createdAt: formatTimeNs(engine.clock.nowNs()),
      imageId: image.id,
      platform: image.os,
      path: command.path,
      args: command.args,
      config,
      hostConfig,
      graphDriver: rootFilesystem.graphDriver,
      log,
      mounts,
      ...(patches.length > 0 ? { hookPatches: patches } : {}),
      networks,
      state: createdState,
      restartCount: 0,
      stoppedByUser: false,
      started: false,
    };
    if (mounts.some(({ type, copyUp }) => type === 'volume' && copyUp)) {
      const root = await rootFilesystem.mount();
      undo.push(() => rootFilesystem.unmount());
      await populateVolumes(mounts, root, engine, signal);
      await rootFilesystem.unmount();
    }
    undo.push(() => engine.store.remove(id));
    await engine.store.create(record);
    if (anonymous.length > 0) await engine.store.forgetVolumes(id);
    const container = new Container(record, engine.store.directory(id));
    engine.index.add(container);
    undo.release();
    publish(engine, container, 'create');
    return { id, warnings };
  } catch (error) {
    for (const failure of await undo.runAll())
      engine.log.warn('undoing a failed create left something behind', { id, error: String(failure) });
    throw error;
  }
}

/** What the user asks of each network; without a word about any, that of NetworkMode. */
function requestedNetworks(
  request: CreateRequest,
  host: HostConfig,
  hasBridge: boolean,
): Record<string, EndpointSettings> {
  const mode = host.NetworkMode;
  // A daemon without the default bridge gives who would be on it no network at all.
  if (request.config.NetworkDisabled || (mode === 'bridge' && !hasBridge)) return { none: {} };
  if (mode.startsWith('container:')) return {};
  const given: Record<string, EndpointSettings> = {};
  for (const [name, settings] of Object.entries(request.endpoints)) given[name === 'default' ? mode : name] = settings;
  if (given[mode] === undefined && Object.keys(given).length > 0 && (mode === 'host' || mode === 'none'))
    throw invalidParameter(`conflicting options: cannot attach both user-defined and non-user-defined network-modes`);
  // Whoever names networks gets these and no other, whatever the mode says.
  return Object.keys(given).length > 0 ? given : { [mode]: {} };
}

function checkEndpoint(network: string, settings: EndpointSettings, engine: Pick<Engine, 'networks'>): void {
  within(`invalid config for network ${network}`, () =>
    engine.networks.checkEndpoint(endpointRequest(network, settings, [])),
  );
}

/** Links name containers that exist. @throws invalid-parameter */
function resolveLinks(host: HostConfig, engine: Pick<Engine, 'index'>): void {
  for (const { container } of (host.Links ?? []).map(parseLink)) {
    const found = engine.index.find(container);
    if (found === undefined)
      throw invalidParameter(`could not get container for ${container}: No such container: ${container}`);
    if (found.record.hostConfig.NetworkMode === 'host')
      throw invalidParameter(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
  }
}

/** Names are known before anything is made: a daemon that comes after a killed one must find what it has to remove. */
function nameAnonymous(planned: readonly PlannedMount[]): readonly PlannedMount[] {
  return planned.map((mount) =>
    mount.anonymous
      ? {
          ...mount,
          name: randomBytes(32).toString('hex'),
          driver: mount.driver === '' ? 'local' : mount.driver,
          volumeLabels: { ...mount.volumeLabels, 'com.docker.volume.anonymous': '' },
        }
      : mount,
  );
}

/** Makes volumes and the root file systems of mounted images. */
async function createVolumes(
  planned: readonly PlannedMount[],
  containerId: string,
  engine: Engine,
  undo: CleanupStack,
  signal: AbortSignal,
): Promise<MountPoint[]> {
  return Promise.all(
    planned.map(async ({ volumeOptions, volumeLabels, inherited, ...mount }) => {
      if (mount.type === 'image') {
        undo.push(() => engine.images.removeRootFilesystem(mount.mountId));
        const image = await engine.images.resolve(mount.imageId ?? mount.source);
        await engine.images.createRootFilesystem(mount.mountId, image.id);
        return { ...mount, imageId: image.id };
      }
      if (mount.type !== 'volume') return mount;
      const volume = await engine.volumes.create(
        { name: mount.name, driver: mount.driver, options: volumeOptions, labels: volumeLabels },
        signal,
      );
      if (mount.anonymous) undo.push(() => engine.volumes.remove(volume.name, { force: true }));
      engine.volumes.reference(volume.name, containerId);
      undo.push(() => engine.volumes.dereference(volume.name, containerId));
      // As dockerd shows it: named volumes of the local driver are shared unless something else was asked for.
      const shared = mount.mode === '' && !mount.anonymous && !inherited && volume.driver === 'local';
      const mode = shared ? 'z' : mount.mode;
      return { ...mount, name: volume.name, source: volume.mountpoint, driver: volume.driver, mode };
    }),
  );
}

/** Copies what the image has at the mount points into volumes that are still empty. */
async function populateVolumes(
  mounts: readonly MountPoint[],
  root: string,
  engine: Engine,
  signal: AbortSignal,
): Promise<void> {
  for (const mount of mounts) {
    if (mount.type !== 'volume' || !mount.copyUp) continue;
    const source = await pathInRoot(root, mount.destination);
    // The image may have nothing there, or a file.
    if (!(await isDirectory(source))) continue;
    await engine.volumes.populate(mount.name, source, { subpath: mount.subpath }, signal);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info?.isDirectory() ?? false;
}

function assertPlatform(platform: string, image: ImageSummary, reference: string): void {
  if (platform === '') return;
  const [os = '', architecture = ''] = platform.split('/');
  if (os !== image.os || (architecture !== '' && architecture !== image.architecture))
    throw notFound(
      `image with reference ${reference} was found but its platform (${image.os}/${image.architecture}) does not match the specified platform (${platform})`,
    );
}

/** Waits for both even when one fails, so that what the other made is known when it is undone. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}

const RENAMING = 'Error when allocating new name';

/** @throws conflict  naming the container that has the name */
export async function renameContainer(reference: string, newName: string, engine: Engine): Promise<void> {
  if (newName === '') throw invalidParameter('Neither old nor new names may be empty');
  const container = engine.index.get(reference);
  const name = within(RENAMING, () => checkName(newName.startsWith('/') ? newName : `/${newName}`));
  await engine.locks.run(container.id, async () => {
    const oldName = container.record.name;
    if (oldName === name) throw invalidParameter('Renaming a container with the same name as its current name');
    if (container.state.status === 'removing' || container.state.status === 'dead')
      throw conflict(`Cannot rename container ${container.id}: it is being removed`);
    within(RENAMING, () => engine.index.reserveName(name, container.id));
    try {
      container.record.name = name;
      await engine.store.save(container.record, { durable: true });
      if (engine.networks.sandbox(container.id)) await engine.networks.rename(container.id, name);
    } catch (error) {
      container.record.name = oldName;
      engine.index.releaseName(name, container.id);
      throw error;
    }
    engine.index.releaseName(oldName, container.id);
    container.touch();
    publish(engine, container, 'rename', { oldName: `/${oldName}` });
  });
}
