// npm dependencies from the lock file, then the build; each only when something changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @throws Error when npm fails */
export function installDependencies(root) {
  const lock = join(root, 'package-lock.json');
  const stamp = join(root, 'node_modules', '.gantry-lock');
  const digest = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return false;
  if (!installedAfter(lock, join(root, 'node_modules', '.package-lock.json'))) {
    console.log('Installing npm packages from the lock file (npm ci)');
    npm(root, ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  writeFileSync(stamp, digest);
  return true;
}

/** @throws Error when the sources do not compile */
export function build(root) {
  const { status } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-b'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('the build failed; the compiler says why above');
}

function installedAfter(lock, installed) {
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

function npm(root, args) {
  const viaNpm = process.env.npm_execpath;
  const [command, first] = viaNpm ? [process.execPath, [viaNpm]] : ['npm', []];
  // The lock file holds the development tools too; they build the project, whatever NODE_ENV says.
  const env = { ...process.env, NODE_ENV: 'development', npm_config_omit: '' };
  const { status } = spawnSync(command, [...first, ...args], { cwd: root, stdio: 'inherit', env });
  if (status !== 0) throw new Error(`npm ${args[0]} failed; npm says why above`);
}
