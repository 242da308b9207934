import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const bin = resolve(__dirname, '../../core/bin/gantryd.js');

/**
 * Starts a daemon that cannot start, with state of its own below `folder`.
 *
 * @param config  for its daemon.json
 * @returns what it said before it ended with exit code 1; any other end is a failure
 */
export function refusedStart(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  config: object = {},
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const state = mkdtempSync(join(folder, 'refused-'));
  const own = ['data-root', 'exec-root', 'pidfile'].map((name) => `--${name}=${join(state, name)}`);
  writeFileSync(join(state, 'daemon.json'), JSON.stringify(config));
  const flags = [`--config-file=${join(state, 'daemon.json')}`, '--bridge=none', ...own, ...args];
  return new Promise((done, fail) => {
    execFile(
      process.execPath,
      [bin, ...flags],
      { env: { ...process.env, ...env }, timeout: 60_000 },
      (error, out, err) => (error?.code === 1 ? done(out + err) : fail(new Error(`exit ${error?.code}: ${out}${err}`))),
    );
  });
}
