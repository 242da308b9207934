import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorMessage } from '@gantry/sdk';

/**
 * Imports a plugin's module, CommonJS or ECMAScript, and returns its export `plugin`, or else its default export.
 *
 * @param specifier  package name, or absolute or relative path
 * @param from       directories it is resolved from; the first that knows it wins
 * @throws Error     it is not found, or fails while it is loaded; the message says which
 */
export async function importModule(specifier: string, from: readonly string[]): Promise<unknown> {
  const path = resolveModule(specifier, from);
  let loaded: Record<string, unknown>;
  try {
    loaded = await load(path);
  } catch (error) {
    throw new Error(`its module ${path} failed while it was loaded: ${errorMessage(error)}`, { cause: error });
  }
  const inner = loaded.default as Record<string, unknown> | undefined;
  return loaded.plugin ?? inner?.plugin ?? inner?.default ?? inner;
}

/**
 * The next import of a module reads its files anew, those beside and below it included; packages it uses stay.
 *
 * @param file  daemon.json, which relative paths may start from
 */
export function forgetModule(specifier: string, file: string | undefined): void {
  let path: string;
  try {
    path = resolveModule(specifier, [process.cwd(), ...(file === undefined ? [] : [dirname(resolve(file))])]);
  } catch {
    // Importing it says more.
    return;
  }
  const folder = dirname(path);
  const { cache } = createRequire(__filename);
  for (const name of Object.keys(cache))
    if (name.startsWith(folder) && !name.slice(folder.length).includes('/node_modules/')) delete cache[name];
}

async function load(path: string): Promise<Record<string, unknown>> {
  try {
    // Much quicker than import() for CommonJS, which all bundled plugins are.
    const loaded: unknown = createRequire(__filename)(path);
    return loaded as Record<string, unknown>;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ERR_REQUIRE_ESM' && code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  }
}

function resolveModule(specifier: string, from: readonly string[]): string {
  for (const directory of from) {
    try {
      return createRequire(resolve(directory, 'resolve-from-here.js')).resolve(specifier);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'MODULE_NOT_FOUND') continue;
      // A package that only has an entry for ECMAScript imports.
      if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
        const entry = importEntry(specifier, directory);
        if (entry !== undefined) return entry;
      }
      throw error;
    }
  }
  throw new Error(`cannot find the module "${specifier}" from ${from.join(', ')}; is it installed there?`);
}

function importEntry(specifier: string, directory: string): string | undefined {
  const anchor = createRequire(resolve(directory, 'resolve-from-here.js'));
  for (const folder of anchor.resolve.paths(specifier) ?? []) {
    try {
      const root = join(folder, specifier);
      const manifest = anchor(join(root, 'package.json')) as { exports?: unknown };
      const entry = conditionalEntry(manifest.exports);
      if (entry !== undefined) return join(root, entry);
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined;
}

function conditionalEntry(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  const map = exports as Record<string, unknown>;
  return conditionalEntry(map['.'] ?? map.node ?? map.import ?? map.default);
}
