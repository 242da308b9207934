import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const folder = mkdtempSync(join(tmpdir(), 'gantry-diary-'));
const socketPath = join(folder, 'diary.sock');
const program = spawn(
  process.execPath,
  [
    resolve(__dirname, '../../examples/log-over-socket/dist/main.js'),
    '--socket',
    socketPath,
    '--root',
    join(folder, 'diaries'),
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
beforeAll(() => once(program.stdout, 'data'));
afterAll(async () => {
  program.kill('SIGKILL');
  await once(program, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({ config: { 'live-restore': true, plugins: { diary: { socket: socketPath } } } });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const fifos = () => readdirSync(join(daemon().execRoot, 'logging'));

test('a daemon that was killed tells the plugin about running containers again', async () => {
  const script = 'i=0; while [ $i -lt 80 ]; do i=$((i+1)); echo line $i; sleep 0.1; done';
  await docker(
    'run',
    '-d',
    '--name',
    'survivor',
    '--network',
    'none',
    '--log-driver',
    'diary',
    'busybox',
    'sh',
    '-c',
    script,
  );
  await eventually('a few lines', async () => (await docker('logs', 'survivor')).includes('line 5'));
  await daemon().kill();
  await daemon().start();
  expect(fifos()).toHaveLength(1);
  await docker('wait', 'survivor');
  const lines = (await docker('logs', 'survivor')).split('\n');
  expect(lines.slice(-5)).toEqual([76, 77, 78, 79, 80].map((number) => `line ${number}`));
  await docker('rm', 'survivor');
  expect(fifos()).toEqual([]);
});
