import type { VolumeDriver } from '../contracts/volume-driver';
import { invalidParameter } from '../errors';
import { encodeVolume, stringField, stringMapField, volumeDriverMethods } from '../wire';
import type { ServedKind } from './method-table';

/** The wire methods of a volume driver. */
export function volumeDriverKind(driver: VolumeDriver): ServedKind {
  return {
    kind: 'VolumeDriver',
    methods: {
      [volumeDriverMethods.create.method]: async (body, signal) => {
        await driver.create(nameOf(body), stringMapField(body, 'Opts'), signal);
        return {};
      },
      [volumeDriverMethods.remove.method]: async (body, signal) => {
        await driver.remove(nameOf(body), signal);
        return {};
      },
      [volumeDriverMethods.mount.method]: async (body, signal) => ({
        Mountpoint: await driver.mount(nameOf(body), idOf(body), signal),
      }),
      [volumeDriverMethods.unmount.method]: async (body, signal) => {
        await driver.unmount(nameOf(body), idOf(body), signal);
        return {};
      },
      [volumeDriverMethods.path.method]: async (body, signal) => ({
        Mountpoint: await driver.path(nameOf(body), signal),
      }),
      [volumeDriverMethods.get.method]: async (body, signal) => ({
        Volume: encodeVolume(await driver.get(nameOf(body), signal)),
      }),
      [volumeDriverMethods.list.method]: async (_body, signal) => ({
        Volumes: (await driver.list(signal)).map(encodeVolume),
      }),
      [volumeDriverMethods.capabilities.method]: async () => ({
        Capabilities: { Scope: (await driver.capabilities()).scope },
      }),
    },
  };
}

function nameOf(body: unknown): string {
  const name = stringField(body, 'Name');
  if (name === '') throw invalidParameter('"Name" is missing');
  return name;
}

function idOf(body: unknown): string {
  const id = stringField(body, 'ID');
  if (id === '') throw invalidParameter('"ID" is missing');
  return id;
}
