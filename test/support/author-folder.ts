import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(__dirname, '../..');
const run = promisify(execFile);

/**
 * Makes a folder one in which `npm install @gantry/sdk` has been run: the packed SDK, and what it depends on from where we
 * have it.
 *
 * @returns the paths of the package's files
 */
export async function installPackedSdk(folder: string): Promise<readonly string[]> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: join(root, 'sdk') });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const koffi = `file:${join(root, 'node_modules/koffi')}`;
  const manifest = {
    name: 'author',
    private: true,
    dependencies: { '@gantry/sdk': `file:${filename}`, koffi },
    overrides: { koffi },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
  return files.map(({ path }) => path);
}
