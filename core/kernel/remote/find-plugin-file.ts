import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, notFound } from '@gantry/sdk';
import type { PluginTls } from '@gantry/sdk/client';

/** Where plugins of other people's processes announce themselves. */
export interface PluginDirectories {
  readonly sockets: string;
  readonly specs: readonly string[];
}

export interface FoundPlugin {
  readonly name: string;
  readonly address: string;
  readonly tls?: PluginTls;
}

const pluginName = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/**
 * Looks a plugin up by name: a socket first, then `.spec` and `.json` files (P-DISC-2).
 *
 * @returns undefined when there is nothing of that name
 * @throws invalid-parameter  its file cannot be used; the message names the file
 */
export async function findPluginFile(name: string, directories: PluginDirectories): Promise<FoundPlugin | undefined> {
  // A name with a slash would look elsewhere.
  if (!pluginName.test(name)) return undefined;
  for (const path of [join(directories.sockets, `${name}.sock`), join(directories.sockets, name, `${name}.sock`)])
    if (await isSocket(path)) return { name, address: `unix://${path}` };
  for (const directory of directories.specs)
    for (const kind of ['spec', 'json'] as const)
      for (const path of [join(directory, `${name}.${kind}`), join(directory, name, `${name}.${kind}`)]) {
        const text = await readIfThere(path);
        if (text !== undefined) return kind === 'spec' ? fromSpec(name, path, text) : fromJson(name, path, text);
      }
  return undefined;
}

/** A plugin whose file is known: `.spec` or `.json`. @throws invalid-parameter, not-found */
export async function readPluginFile(name: string, path: string): Promise<FoundPlugin> {
  const text = await readIfThere(path);
  if (text === undefined) throw notFound(`plugin "${name}": there is no file ${path}`);
  return path.endsWith('.spec') ? fromSpec(name, path, text) : fromJson(name, path, text);
}

/** Whether an address of daemon.json is such a file and not a socket. */
export const isPluginFile = (address: string): boolean => /^\/.*\.(spec|json)$/.test(address);

/** One URL, white space around it ignored (P-DISC-4). */
function fromSpec(name: string, path: string, text: string): FoundPlugin {
  const address = text.trim();
  if (!/^[a-z]+:\/\//i.test(address)) throw invalidParameter(`${path}: "${address}" is not a URL with a scheme`);
  return withVerifiedTls(path, { name, address });
}

/** The name inside is ignored: the file's own name counts (P-DISC-3). */
async function fromJson(name: string, path: string, text: string): Promise<FoundPlugin> {
  let content: { Addr?: unknown; TLSConfig?: Record<string, unknown> | null };
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`${path}: ${(error as Error).message}`, error);
  }
  if (typeof content.Addr !== 'string' || content.Addr === '') throw invalidParameter(`${path}: "Addr" is missing`);
  const files = content.TLSConfig;
  if (files === undefined || files === null) return withVerifiedTls(path, { name, address: content.Addr });
  const read = (key: string) =>
    typeof files[key] === 'string' && files[key] !== '' ? readFile(files[key]) : undefined;
  const tls: PluginTls = {
    insecureSkipVerify: files.InsecureSkipVerify === true,
    ca: await read('CAFile'),
    cert: await read('CertFile'),
    key: await read('KeyFile'),
  };
  return withVerifiedTls(path, { name, address: content.Addr, tls });
}

/** https without a CA proves nothing about who answers; it must be asked for in so many words (P-DISC-5). */
function withVerifiedTls(path: string, plugin: FoundPlugin): FoundPlugin {
  if (/^https:/i.test(plugin.address) && plugin.tls?.ca === undefined && plugin.tls?.insecureSkipVerify !== true)
    throw invalidParameter(
      `${path}: ${plugin.address} would not be verified; give "TLSConfig" with "CAFile", or "InsecureSkipVerify": true`,
    );
  return plugin;
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    return false;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
