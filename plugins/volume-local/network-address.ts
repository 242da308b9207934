import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { EngineError, errorMessage } from '@gantry/sdk';
import type { MountSpec } from './volume-options';

/**
 * The kernel mounts network file systems by IP address only: a host name in `addr=`, or in the device of cifs, is
 * resolved at every mount.
 */
export async function resolveAddresses(spec: MountSpec): Promise<MountSpec> {
  if (spec.type !== 'nfs' && spec.type !== 'nfs4' && spec.type !== 'cifs') return spec;
  const address = /(?:^|,)addr=([^,]+)/.exec(spec.options)?.[1];
  if (address !== undefined) {
    if (isIP(address) !== 0) return spec;
    return { ...spec, options: spec.options.replace(`addr=${address}`, `addr=${await resolve(address)}`) };
  }
  if (spec.type !== 'cifs') return spec;
  const host = /^(?:[a-z]+:)?\/\/([^/]+)/i.exec(spec.device)?.[1];
  if (host === undefined || isIP(host) !== 0) return spec;
  return { ...spec, device: spec.device.replace(`//${host}`, `//${await resolve(host)}`) };
}

async function resolve(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOTFOUND' ? `lookup ${host}: no such host` : errorMessage(error);
    throw new EngineError('system', `error resolving passed in network volume address: ${why}`, { cause: error });
  }
}
