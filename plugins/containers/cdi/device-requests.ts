import { invalidParameter } from '@gantry/sdk';
import type { HostConfig } from '../config/container-config';
import { type CdiDevices, readCdiDevices } from './cdi-devices';
import { isDeviceName } from './cdi-spec';

type DeviceRequest = NonNullable<HostConfig['DeviceRequests']>[number];

/** The kind under which GPUs of this vendor are described. */
const NVIDIA = 'nvidia.com/gpu';

/**
 * Checks requests before anything is made. Names of devices are looked up at the start: they come and go.
 *
 * @param directories `cdi-spec-dirs`; empty = CDI is off
 * @throws invalid-parameter  no driver takes the request, or it contradicts itself
 */
export async function validateDeviceRequests(
  requests: readonly DeviceRequest[],
  directories: readonly string[],
): Promise<void> {
  if (requests.length === 0) return;
  let devices: CdiDevices | undefined;
  for (const request of requests) {
    const { Count, DeviceIDs } = request;
    const ids = DeviceIDs ?? [];
    if (isCdi(request)) {
      if (directories.length === 0) throw noDriver(request);
      if (Count !== 0)
        throw invalidParameter('DeviceRequests: Count cannot be used with the cdi driver, use DeviceIDs');
      if (ids.length === 0) throw invalidParameter('DeviceRequests: the cdi driver needs DeviceIDs');
      for (const id of ids)
        if (!isDeviceName(id))
          throw invalidParameter(`invalid CDI device name "${id}": expected vendor.com/class=name`);
      if (Object.keys(request.Options ?? {}).length > 0)
        throw invalidParameter('DeviceRequests: the cdi driver takes no Options');
      continue;
    }
    devices ??= await readCdiDevices(directories);
    if (!isGpu(request) || !names(devices, NVIDIA).length) throw noDriver(request);
    if (Count !== 0 && ids.length > 0) throw invalidParameter('cannot set both Count and DeviceIDs on device request');
    if (Object.keys(request.Options ?? {}).length > 0)
      throw invalidParameter('DeviceRequests: Options are not supported for devices found through CDI');
  }
}

/** The CDI names a container's requests come to. @throws invalid-parameter */
export function requestedCdiNames(requests: readonly DeviceRequest[], devices: CdiDevices): string[] {
  return requests.flatMap((request) => {
    const ids = request.DeviceIDs ?? [];
    if (isCdi(request)) return ids;
    if (!isGpu(request)) throw noDriver(request);
    if (ids.length > 0) return ids.map((id) => (isDeviceName(id) ? id : `${NVIDIA}=${id}`));
    const all = names(devices, NVIDIA);
    if (request.Count < 0 || all.length === 0) return [`${NVIDIA}=all`];
    const single = all.filter((name) => /=\d+$/.test(name)).sort(byNumber);
    if (single.length < request.Count)
      throw invalidParameter(`${request.Count} GPUs were asked for, this machine has ${single.length}`);
    return single.slice(0, request.Count || 1);
  });
}

const isCdi = ({ Driver }: DeviceRequest): boolean => Driver === 'cdi';

/** `--gpus`: any driver, or nvidia's, with the capability gpu. */
function isGpu({ Driver, Capabilities }: DeviceRequest): boolean {
  const wanted = (Capabilities ?? []).flat();
  return (Driver === '' || Driver === 'nvidia') && (wanted.includes('gpu') || wanted.includes('nvidia'));
}

const names = ({ edits }: CdiDevices, kind: string): string[] =>
  [...edits.keys()].filter((name) => name.startsWith(`${kind}=`));

const byNumber = (a: string, b: string): number => Number(/\d+$/.exec(a)?.[0]) - Number(/\d+$/.exec(b)?.[0]);

function noDriver({ Driver, Capabilities }: DeviceRequest) {
  const capabilities = (Capabilities ?? []).map((set) => `[${set.join(' ')}]`).join(' ');
  return invalidParameter(`could not select device driver "${Driver}" with capabilities: [${capabilities}]`);
}
