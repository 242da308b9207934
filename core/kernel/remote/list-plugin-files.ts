import { readdir } from 'node:fs/promises';
import { join, parse } from 'node:path';
import type { PluginDirectories } from './find-plugin-file';

/**
 * Names of everything that may be a plugin (P-DISC-7): sockets, and `.spec` and `.json` files, each on its own or in a
 * folder of its own name.
 */
export async function listPluginFiles({ sockets, specs }: PluginDirectories): Promise<string[]> {
  const inFolders = await Promise.all([
    namesIn(sockets, ['.sock'], (entry) => entry.isSocket() || entry.isSymbolicLink()),
    ...specs.map((folder) => namesIn(folder, ['.spec', '.json'], (entry) => !entry.isDirectory())),
  ]);
  return [...new Set(inFolders.flat())].sort();
}

type Entry = Awaited<ReturnType<typeof entriesOf>>[number];

async function namesIn(
  folder: string,
  extensions: readonly string[],
  fits: (entry: Entry) => boolean,
): Promise<string[]> {
  const stem = (entry: Entry) =>
    fits(entry) && extensions.includes(parse(entry.name).ext) ? parse(entry.name).name : '';
  const names = await Promise.all(
    (await entriesOf(folder)).map(async (entry) => {
      if (!entry.isDirectory()) return stem(entry);
      const inside = await entriesOf(join(folder, entry.name));
      return inside.some((one) => stem(one) === entry.name) ? entry.name : '';
    }),
  );
  return names.filter((name) => name !== '');
}

const entriesOf = (folder: string) => readdir(folder, { withFileTypes: true }).catch(() => []);
