import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '@gantry/sdk';

export interface RegistryCertificates {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Certificates of one registry as dockerd keeps them: `<folder>/<host:port>/*.crt` are authorities,
 * `x.cert` with `x.key` is what we show.
 *
 * @throws system  a certificate without its key, or a key without its certificate
 */
export async function readCertificates(folder: string, domain: string): Promise<RegistryCertificates> {
  const own = join(folder, domain);
  const names = await readdir(own).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const read = (name: string) => readFile(join(own, name), 'latin1');
  const authorities = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  for (const name of names) {
    const other = name.endsWith('.cert') ? name.replace(/cert$/, 'key') : name.replace(/key$/, 'cert');
    if (/\.(cert|key)$/.test(name) && !names.includes(other))
      throw systemError(`${join(own, name)} has no ${other} beside it`);
  }
  const certificate = names.find((name) => name.endsWith('.cert'));
  return {
    ca: authorities.length > 0 ? authorities : undefined,
    cert: certificate === undefined ? undefined : await read(certificate),
    key: certificate === undefined ? undefined : await read(certificate.replace(/cert$/, 'key')),
  };
}
