import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cancelled, invalidParameter, systemError } from '@gantry/sdk';

/** A place in a git repository: `https://host/repo.git#ref:directory`. */
export interface GitSource {
  readonly url: string;
  /** Branch, tag or commit; undefined = the default branch. */
  readonly ref: string | undefined;
  /** Relative; `` = all of it. */
  readonly directory: string;
}

/** Whether a build's `remote` or an ADD's source is a git repository. */
export const isGitUrl = (text: string): boolean =>
  /^(?:git:\/\/|git@|ssh:\/\/|github\.com\/)/.test(text) || /^https?:\/\/[^#?]+\.git(?:#.*)?$/.test(text);

/** @throws invalid-parameter */
export function parseGitUrl(text: string): GitSource {
  const [address = '', fragment = ''] = text.split('#', 2);
  const [ref = '', directory = ''] = fragment.split(':', 2);
  const url = address.startsWith('github.com/') ? `https://${address}` : address;
  // Neither may be taken for an option.
  if (url.startsWith('-') || ref.startsWith('-')) throw invalidParameter(`invalid git reference: ${text}`);
  return { url, ref: ref === '' ? undefined : ref, directory: directory.replace(/^\/+|\/+$/g, '') };
}

/**
 * Fetches one revision with its submodules.
 *
 * @param folder must not exist
 * @returns the id of the commit
 * @throws system  git is missing, or cannot fetch it
 */
export async function checkOut(
  { url, ref }: GitSource,
  folder: string,
  options: { readonly keepGitDirectory: boolean },
  signal: AbortSignal,
): Promise<string> {
  const git = (...args: string[]) => runGit(args, folder, signal);
  await runGit(['init', '--quiet', folder], '/', signal);
  await git('remote', 'add', 'origin', url);
  try {
    await git('fetch', '--quiet', '--depth', '1', 'origin', '--', ref ?? 'HEAD');
    await git('checkout', '--quiet', 'FETCH_HEAD');
  } catch (error) {
    if (signal.aborted) throw error;
    // A short commit id, a server that gives out branches only, or one that is nothing but files.
    await git('fetch', '--quiet', '--tags', 'origin', ...(ref === undefined ? ['HEAD'] : []));
    await git('checkout', '--quiet', ref === undefined ? 'FETCH_HEAD' : await nameOf(ref, git));
  }
  await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1');
  const commit = await git('rev-parse', 'HEAD');
  if (!options.keepGitDirectory) await rm(join(folder, '.git'), { recursive: true, force: true });
  return commit.trim();
}

/** A branch that was fetched is the server's, not ours. */
async function nameOf(ref: string, git: (...args: string[]) => Promise<string>): Promise<string> {
  const branch = `refs/remotes/origin/${ref}`;
  return git('rev-parse', '--verify', '--quiet', branch).then(
    () => branch,
    () => ref,
  );
}

function runGit(args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['-c', 'protocol.ext.allow=never', ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nobody is there to answer, and the administrator's own settings are not the build's.
      env: {
        PATH: process.env.PATH ?? '',
        HOME: '/nonexistent',
        GIT_TERMINAL_PROMPT: '0',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_PROTOCOL_FROM_USER: '0',
        LC_ALL: 'C',
      },
      signal,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (stdout.length < 4096) stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 4096) stderr += chunk.toString();
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(cancelled('the checkout was cancelled', error));
      else if (error.code === 'ENOENT')
        reject(systemError('git sources need the program "git" on the daemon’s machine: install it', error));
      else reject(systemError(`cannot run git: ${error.message}`, error));
    });
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else reject(systemError(`error fetching: git ${args[0]} ended with ${code}: ${stderr.trim()}`));
    });
  });
}
