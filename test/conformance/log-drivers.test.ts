import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const folder = mkdtempSync(join(tmpdir(), 'gantry-diary-'));
const programPath = resolve(__dirname, '../../examples/log-over-socket/dist/main.js');
const programs = new Map<string, ChildProcess>();

async function start(name: string, ...more: string[]): Promise<void> {
  const args = ['--socket', join(folder, `${name}.sock`), '--root', join(folder, name), ...more];
  const program = spawn(process.execPath, [programPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  programs.set(name, program);
  await once(program.stdout!, 'data');
}

async function end(name: string): Promise<void> {
  const program = programs.get(name)!;
  if (program.exitCode !== null || program.signalCode !== null) return;
  program.kill('SIGKILL');
  await once(program, 'exit');
}

beforeAll(() => Promise.all([start('diary'), start('journal', '--write-only')]));
afterAll(async () => {
  await Promise.all([...programs.keys()].map(end));
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({
  config: {
    plugins: {
      diary: { socket: join(folder, 'diary.sock') },
      journal: { socket: join(folder, 'journal.sock') },
    },
  },
  tidy: (each) => each.removeEverything(),
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const fifos = () =>
  existsSync(join(daemon().execRoot, 'logging')) ? readdirSync(join(daemon().execRoot, 'logging')) : [];

test('docker info names log drivers on sockets', async () => {
  const names = JSON.parse(await docker('info', '--format', '{{json .Plugins.Log}}'));
  expect(names).toEqual(expect.arrayContaining(['diary', 'journal', 'json-file']));
});

test('what a container prints goes to the plugin with its options, and docker logs reads it from there', async () => {
  const options = ['--log-driver', 'diary', '--log-opt', 'redact=secret', '--log-opt', 'mode=non-blocking'];
  await docker('run', '--name', 'talk', ...options, 'busybox', 'sh', '-c', 'echo a secret; sleep 0.2; echo wrong >&2');
  const result = await daemon().cli.run(['logs', 'talk']);
  expect([result.stdout, result.stderr]).toEqual(['a ██████\n', 'wrong\n']);
  expect(await docker('logs', '-n', '1', 'talk')).not.toContain('██████');
  const [first] = (await docker('logs', '-t', 'talk')).split('\n');
  expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a ██████$/);
  expect(await docker('logs', '--since', '2100-01-01', 'talk')).toBe('');
  await docker('rm', 'talk');
  expect(fifos()).toEqual([]);
});

test('docker logs -f follows until the container ends, and a line longer than 16 KiB stays one line', async () => {
  const script = 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i; sleep 0.02; done; printf "%040000d\\n" 7';
  await docker('run', '-d', '--name', 'counts', '--log-driver', 'diary', 'busybox', 'sh', '-c', script);
  expect((await docker('logs', '-f', 'counts')).split('\n')).toEqual([
    ...Array.from({ length: 20 }, (_, i) => `line ${i + 1}`),
    `${'0'.repeat(39_999)}7`,
  ]);
  await docker('rm', 'counts');
});

test('an option the plugin refuses keeps the container from starting', async () => {
  const options = ['--name', 'odd', '--log-driver', 'diary', '--log-opt', 'colour=red'];
  const result = await daemon().cli.run(['run', ...options, 'busybox', 'true']);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain("unknown log opt 'colour' for the diary");
  expect(fifos()).toEqual([]);
  await docker('rm', 'odd');
});

test('a plugin that cannot read back takes the log, and docker logs shows the copy that is kept beside', async () => {
  await docker('run', '--name', 'silent', '--log-driver', 'journal', 'busybox', 'echo', 'kept');
  expect(await docker('logs', 'silent')).toBe('kept');
  expect(readdirSync(join(folder, 'journal'))).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.diary$/)]);
  await docker('rm', 'silent');
});

test('without that copy docker logs says why it shows nothing', async () => {
  const options = ['--name', 'uncopied', '--log-driver', 'journal', '--log-opt', 'cache-disabled=true'];
  await docker('run', ...options, 'busybox', 'echo', 'kept');
  const result = await daemon().cli.run(['logs', 'uncopied']);
  expect(result.code).toBe(1);
  expect(result.stderr).toContain('configured logging driver does not support reading');
  await docker('rm', 'uncopied');
});

test('a driver that nobody provides is told by name', async () => {
  const result = await daemon().cli.run(['run', '--log-driver', 'nobody', 'busybox', 'true']);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain('error looking up logging plugin nobody: plugin "nobody" not found');
});

test('a plugin that was killed and comes back goes on with the log where it was', async () => {
  const script = 'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.1; done';
  await docker('run', '-d', '--name', 'long', '--log-driver', 'diary', 'busybox', 'sh', '-c', script);
  await eventually('a few lines', async () => (await docker('logs', 'long')).includes('line 5'));
  await end('diary');
  await new Promise((done) => setTimeout(done, 500));
  await start('diary');
  await docker('wait', 'long');
  const numbers = (await docker('logs', 'long')).split('\n').map((line) => Number(line.slice(5)));
  expect(numbers.at(-1)).toBe(60);
  // At most what the plugin held in its hands when it was killed is missing.
  expect(numbers.length).toBeGreaterThanOrEqual(59);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  await docker('rm', 'long');
  expect(fifos()).toEqual([]);
});

test('a container whose log plugin is gone can be stopped and removed, and others do not notice', async () => {
  const run = ['run', '-d', '--name', 'stuck', '--log-driver', 'diary', 'busybox', 'sh', '-c', 'yes; sleep 100'];
  await docker(...run);
  await end('diary');
  try {
    expect(await docker('run', '--rm', 'busybox', 'echo', 'fine')).toBe('fine');
    await docker('rm', '-f', 'stuck');
    expect(fifos()).toEqual([]);
  } finally {
    await start('diary');
  }
});
