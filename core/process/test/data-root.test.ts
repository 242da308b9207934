import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../log/create-logger';
import { openDataRoot } from '../data-root';
import type { LayoutMigration } from '../layout-migrations';
import { writePidFile } from '../pid-file';

let folder: string;
let lines: string[];
const log = createLog('text', 'info', (line) => lines.push(line));
beforeEach(() => {
  lines = [];
  folder = mkdtempSync(join(tmpdir(), 'gantry-root-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a data root is made closed to others and keeps its engine id', async () => {
  const path = join(folder, 'a/data');
  const first = await openDataRoot(path, log);
  expect(statSync(path).mode & 0o777).toBe(0o710);
  expect(first.engineId).toMatch(/^[0-9a-f-]{36}$/);
  await first.close();
  const second = await openDataRoot(path, log);
  expect(second.engineId).toBe(first.engineId);
  await second.close();
});

test('a data root has one daemon at a time', async () => {
  const first = await openDataRoot(folder, log);
  await expect(openDataRoot(folder, log)).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining(folder),
  });
  await first.close();
  await (await openDataRoot(folder, log)).close();
});

test('the lock of a killed daemon is gone with it', async () => {
  writeFileSync(join(folder, 'daemon.lock'), '');
  const holder = spawn('flock', ['--no-fork', join(folder, 'daemon.lock'), 'sh', '-c', 'echo held; exec sleep 60']);
  await once(holder.stdout, 'data');
  await expect(openDataRoot(folder, log)).rejects.toMatchObject({ kind: 'conflict' });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await openDataRoot(folder, log)).close();
});

test('a data root of a newer daemon is left alone', async () => {
  writeFileSync(join(folder, 'version'), '99\n');
  await expect(openDataRoot(folder, log)).rejects.toThrow(/layout 99/);
});

test.each(['', 'one', '0', '1.5'])('a version file that holds %j is told instead of guessed', async (text) => {
  writeFileSync(join(folder, 'version'), `${text}\n`);
  await expect(openDataRoot(folder, log)).rejects.toThrow('should hold the number of a layout');
});

test('a data root of dockerd is neither read nor changed', async () => {
  mkdirSync(join(folder, 'network/files'), { recursive: true });
  writeFileSync(join(folder, 'network/files/local-kv.db'), '');
  await expect(openDataRoot(folder, log)).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining('docker save'),
  });
  expect(existsSync(join(folder, 'version'))).toBe(false);
});

describe('an older layout', () => {
  const version = () => readFileSync(join(folder, 'version'), 'utf8');
  /** Invented: the greeting moves to another file, and gets louder. */
  const move: LayoutMigration = {
    about: 'greetings have a folder',
    async run(root, backup) {
      if (!existsSync(join(root, 'greeting'))) return;
      copyFileSync(join(root, 'greeting'), join(backup, 'greeting'));
      mkdirSync(join(root, 'greetings'), { recursive: true });
      renameSync(join(root, 'greeting'), join(root, 'greetings/first'));
    },
  };
  const shout: LayoutMigration = {
    about: 'greetings are loud',
    async run(root) {
      const file = join(root, 'greetings/first');
      writeFileSync(file, readFileSync(file, 'utf8').toUpperCase());
    },
  };
  beforeEach(async () => {
    await (await openDataRoot(folder, log, [])).close();
    writeFileSync(join(folder, 'greeting'), 'hello');
  });

  test('is brought to the current one step by step, with a copy of what was changed', async () => {
    await (await openDataRoot(folder, log, [move, shout])).close();
    expect(version()).toBe('3\n');
    expect(readFileSync(join(folder, 'greetings/first'), 'utf8')).toBe('HELLO');
    expect(readFileSync(join(folder, 'backup-layout-1/greeting'), 'utf8')).toBe('hello');
    expect(lines.join('')).toContain('changing the data root to layout 2: greetings have a folder');
    await expect(openDataRoot(folder, log, [move])).rejects.toThrow('use the newer daemon again');
  });

  test('takes only the steps that are missing', async () => {
    await (await openDataRoot(folder, log, [move])).close();
    const again: LayoutMigration = { about: 'never', run: () => Promise.reject(new Error('run twice')) };
    await (await openDataRoot(folder, log, [again, shout])).close();
    expect(readFileSync(join(folder, 'greetings/first'), 'utf8')).toBe('HELLO');
  });

  test('whose step fails stays where it is, says where the copy is, and goes on next time', async () => {
    const fails: LayoutMigration = { about: 'no luck', run: () => Promise.reject(new Error('disk full')) };
    await expect(openDataRoot(folder, log, [move, fails])).rejects.toThrow(
      /from layout 2 to 3 \(no luck\): disk full.*backup-layout-2/,
    );
    expect(version()).toBe('2\n');
    await (await openDataRoot(folder, log, [move, shout])).close();
    expect(version()).toBe('3\n');
  });
});

test('a pid file is written, and removed only while it is ours', async () => {
  const file = join(folder, 'run/pid');
  const remove = await writePidFile(file);
  expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
  await remove();
  expect(() => statSync(file)).toThrow();
  const again = await writePidFile(file);
  writeFileSync(file, '1\n');
  await again();
  expect(readFileSync(file, 'utf8')).toBe('1\n');
});

test('the pid file of a running daemon refuses a second one; any other process does not', async () => {
  const file = join(folder, 'pid');
  const program = join(folder, 'gantryd');
  mkdirSync(folder, { recursive: true });
  writeFileSync(program, 'setTimeout(() => {}, 60000)');
  const daemon = spawn(process.execPath, [program], { stdio: 'ignore' });
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    await Promise.all([once(daemon, 'spawn'), once(stranger, 'spawn')]);
    writeFileSync(file, `${daemon.pid}\n`);
    await expect(writePidFile(file)).rejects.toThrow(`process with PID ${daemon.pid} is still running`);
    writeFileSync(file, `${stranger.pid}\n`);
    await (await writePidFile(file))();
  } finally {
    daemon.kill('SIGKILL');
    stranger.kill('SIGKILL');
    await Promise.all([once(daemon, 'exit'), once(stranger, 'exit')]);
  }
});
