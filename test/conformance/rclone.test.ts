import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const folder = mkdtempSync(join(tmpdir(), 'gantry-rclone-'));
const socketPath = join(folder, 'rclone.sock');
const back = join(folder, 'back');
for (const name of ['back', 'base', 'cache']) mkdirSync(join(folder, name));
const configPath = join(folder, 'rclone.conf');
writeFileSync(configPath, '');

let program: ChildProcess | undefined;
/** The volume plugin of Debian's package rclone, which mounts remotes with FUSE. */
async function start(): Promise<void> {
  const places = ['--base-dir', join(folder, 'base'), '--cache-dir', join(folder, 'cache'), '--config', configPath];
  program = spawn('rclone', ['serve', 'docker', '--socket-addr', socketPath, ...places], { stdio: 'ignore' });
  await eventually('rclone to listen', () => existsSync(socketPath));
}
async function end(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => program!.once('exit', resolve));
  program!.kill(signal);
  await ended;
}

beforeAll(start);
afterAll(async () => {
  await end('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({ config: { plugins: { rclone: { socket: socketPath, optional: true } } } });
const docker = (...words: string[]) => daemon().cli.ok(...words);

test('a plugin that is not ours, rclone, serves volumes from their creation to their removal', async () => {
  await eventually('the driver', async () =>
    (await docker('info', '-f', '{{json .Plugins.Volume}}')).includes('rclone'),
  );
  expect(await docker('volume', 'create', '-d', 'rclone', '-o', `remote=:local:${back}`, 'papers')).toBe('papers');
  expect(await docker('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toContain('rclone papers');
  expect(await docker('volume', 'inspect', '-f', '{{.Driver}} {{.Scope}}', 'papers')).toBe('rclone local');

  await docker('run', '-d', '--name', 'writer', '-v', 'papers:/papers', 'busybox', 'sleep', '600');
  await docker('exec', 'writer', 'sh', '-c', 'echo hello >/papers/note');
  await eventually('the note', () => readFileSync(join(back, 'note'), 'utf8') === 'hello\n');
  // Mounted once for both.
  expect(await docker('run', '--rm', '-v', 'papers:/seen:ro', 'busybox', 'cat', '/seen/note')).toBe('hello');
  const busy = await daemon().cli.run(['volume', 'rm', 'papers']);
  expect(busy.stderr).toContain('volume is in use');

  await daemon().kill();
  await daemon().start();
  expect(await docker('exec', 'writer', 'cat', '/papers/note')).toBe('hello');
  await eventually('the driver again', async () => (await docker('volume', 'ls', '-q')).includes('papers'));
  await docker('rm', '-f', 'writer');
  await docker('volume', 'rm', 'papers');
  expect(await docker('volume', 'ls', '-q')).not.toContain('papers');
  expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${folder}/base`);
  expect(readFileSync(join(back, 'note'), 'utf8')).toBe('hello\n');

  const refused = await daemon().cli.run(['volume', 'create', '-d', 'rclone', '-o', 'nonsense=1', 'x']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/nonsense/);
});
