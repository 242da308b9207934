import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-generated-'));
const programs: ChildProcess[] = [];
const socketOf = (kind: string) => join(folder, `${kind}.sock`);

// As an author does: generate, serve, name it in daemon.json.
beforeAll(async () => {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const generate = (...words: string[]) =>
    execFileSync(process.execPath, [join(root, 'sdk/bin/gantry-plugin.js'), 'new', ...words], { cwd: folder });
  for (const kind of ['volume', 'network', 'ipam']) {
    generate(kind);
    const program = spawn(
      process.execPath,
      [join(folder, `my-${kind}`, 'server.js'), socketOf(kind), join(folder, `${kind}-state`)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    programs.push(program);
    await once(program.stdout!, 'data');
  }
  generate('log', '--in-process');
});
afterAll(() => {
  for (const program of programs) program.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({
  config: {
    plugins: {
      'my-volume': { socket: socketOf('volume') },
      'my-network': { socket: socketOf('network') },
      'my-ipam': { socket: socketOf('ipam') },
      'my-log': { module: join(folder, 'my-log'), isolation: 'process' },
    },
  },
});

test('containers keep files in a volume of a generated plugin', async () => {
  await daemon().cli.ok('volume', 'create', '-d', 'my-volume', 'books');
  await daemon().cli.ok('run', '--rm', '-v', 'books:/books', 'busybox', 'touch', '/books/first');
  expect(existsSync(join(folder, 'volume-state/books/first'))).toBe(true);
  await daemon().cli.ok('volume', 'rm', 'books');
});

test('containers have the interface and the address that generated plugins give', async () => {
  const words = [
    '-d',
    'my-network',
    '--ipam-driver',
    'my-ipam',
    '--subnet',
    '198.18.91.0/24',
    '--gateway',
    '198.18.91.1',
  ];
  await daemon().cli.ok('network', 'create', ...words, 'lane');
  const said = await daemon().cli.ok(
    'run',
    '--rm',
    '--network',
    'lane',
    'busybox',
    'sh',
    '-c',
    'ip -4 addr show eth0; ping -c1 -W5 198.18.91.1',
  );
  expect(said).toMatch(/inet 198\.18\.91\.\d+\/24/);
  expect(said).toContain('1 packets received');
  await daemon().cli.ok('network', 'rm', 'lane');
});

test('what a container prints goes through a generated plugin in a process of its own', async () => {
  await daemon().cli.ok('run', '--name', 'talker', '--log-driver', 'my-log', 'busybox', 'echo', 'hello from far');
  expect(await daemon().cli.ok('logs', 'talker')).toBe('hello from far');
  await daemon().cli.ok('rm', 'talker');
});
