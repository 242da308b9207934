import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { errorMessage, notFound, systemError } from '@gantry/sdk';

const run = promisify(execFile);
const TIMEOUT_MS = 30_000;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The absolute path of a program, looked for as a shell does; undefined when there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  const candidates = isAbsolute(name)
    ? [name]
    : (process.env.PATH ?? DEFAULT_PATH).split(delimiter).map((directory) => join(directory, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // The next one.
    }
  }
  return undefined;
}

export interface OciVersion {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly commit: string;
}

/** Asks an OCI runtime who it is. @throws not-found when it cannot be run */
export async function askVersion(path: string): Promise<OciVersion> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: TIMEOUT_MS });
    return { path, ...parseVersion(stdout) };
  } catch (error) {
    throw notFound(`OCI runtime ${path} cannot be run: ${errorMessage(error)}`, error);
  }
}

/** Asks an OCI runtime what it supports: JSON text. Undefined when it does not know the question. */
export async function askFeatures(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['features'], { timeout: TIMEOUT_MS });
    return JSON.stringify(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

/** Reads what `runc --version` and its kin print. */
export function parseVersion(text: string): Omit<OciVersion, 'path'> {
  const [, name = '', version = ''] = /^(\S+)\s+(?:version\s+)?(\S+)/m.exec(text) ?? [];
  return { name, version, commit: /^commit:\s*(\S+)/m.exec(text)?.[1] ?? '' };
}

/** Kills and removes a container by the OCI runtime itself, without a shim. Not there is no error. */
export async function deleteForcibly(binary: string, root: string, id: string): Promise<void> {
  try {
    await run(binary, ['--root', root, 'delete', '--force', id], { timeout: TIMEOUT_MS });
  } catch (error) {
    const words = (error as { stderr?: string }).stderr || errorMessage(error);
    if (/does not exist|no such file/i.test(words)) return;
    throw systemError(`could not delete container ${id} by ${binary}: ${words.trim()}`, error);
  }
}
