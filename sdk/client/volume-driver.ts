import type { VolumeDriver } from '../contracts/volume-driver';
import { notFound, systemError } from '../errors';
import { arrayField, decodeScope, decodeVolume, field, sortedMap, stringField, volumeDriverMethods } from '../wire';
import type { PluginClient } from './plugin-client';
import { PluginRefusal } from './read-answer';
import { noRetry, type RetrySchedule } from './retry';

/** What is special about a remote volume driver. */
export interface RemoteVolumeDriverOptions {
  /** Turns a path as the plugin sees it into a host path; needed for managed plugins only (P-VOL-5). */
  readonly hostPath?: (path: string) => string | Promise<string>;
  /** Says `{}` where dockerd says null, to volumes without options: for a judge who asks about null apart. */
  readonly sendsEmptyOptions?: boolean;
}

/** A volume driver behind a socket; callers cannot tell it from one in process. */
export function connectVolumeDriver(client: PluginClient, options: RemoteVolumeDriverOptions = {}): VolumeDriver {
  const hostPath = async (path: string) =>
    path === '' || options.hostPath === undefined ? path : options.hostPath(path);
  const call = (method: keyof typeof volumeDriverMethods, body: unknown, signal?: AbortSignal, retry?: RetrySchedule) =>
    client.call({ ...volumeDriverMethods[method], body, signal, ...(retry && { retry }) });
  let scope: 'local' | 'global' | undefined;

  return {
    async capabilities() {
      // A good answer is kept, a failure is asked again each time (P-VOL-7).
      if (scope !== undefined) return { scope };
      try {
        scope = decodeScope(await call('capabilities', {}));
      } catch {
        return { scope: 'local' };
      }
      return { scope };
    },
    async create(name, opts, signal) {
      const isNull = Object.keys(opts).length === 0 && !options.sendsEmptyOptions;
      await call('create', { Name: name, Opts: isNull ? null : sortedMap(opts) }, signal);
    },
    async remove(name, signal) {
      await call('remove', { Name: name }, signal);
    },
    async mount(name, id, signal) {
      const path = stringField(await call('mount', { Name: name, ID: id }, signal), 'Mountpoint');
      if (!path.startsWith('/'))
        throw systemError(
          `${volumeDriverMethods.mount.method}: plugin "${client.name}" answered without an absolute mount point for volume ${name}`,
        );
      return hostPath(path);
    },
    async unmount(name, id, signal) {
      await call('unmount', { Name: name, ID: id }, signal);
    },
    async path(name, signal) {
      return hostPath(stringField(await call('path', { Name: name }, signal), 'Mountpoint'));
    },
    async get(name, signal, asking) {
      let volume: ReturnType<typeof decodeVolume>;
      try {
        volume = decodeVolume(
          field(await call('get', { Name: name }, signal, asking?.ofAll ? noRetry : undefined), 'Volume'),
        );
      } catch (error) {
        // Whatever a plugin says to Get means "no such volume": the protocol has no other word for it (P-VOL-1).
        throw error instanceof PluginRefusal && error.kind === 'system' ? notFound(error.message, error) : error;
      }
      if (volume === undefined) throw notFound(`plugin "${client.name}" has no volume ${name}`);
      return { ...volume, mountpoint: await hostPath(volume.mountpoint) };
    },
    async list(signal) {
      const told = arrayField(await call('list', {}, signal, noRetry), 'Volumes').map(decodeVolume);
      const volumes = told.filter((volume) => volume !== undefined);
      return Promise.all(volumes.map(async (each) => ({ ...each, mountpoint: await hostPath(each.mountpoint) })));
    },
  };
}
