import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataRoot } from '../data-root';
import { writePidFile } from '../pid-file';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-root-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a data root is made closed to others and keeps its engine id', async () => {
  const path = join(folder, 'a/data');
  const first = await openDataRoot(path);
  expect(statSync(path).mode & 0o777).toBe(0o710);
  expect(first.engineId).toMatch(/^[0-9a-f-]{36}$/);
  await first.close();
  const second = await openDataRoot(path);
  expect(second.engineId).toBe(first.engineId);
  await second.close();
});

test('a data root has one daemon at a time', async () => {
  const first = await openDataRoot(folder);
  await expect(openDataRoot(folder)).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining(folder),
  });
  await first.close();
  await (await openDataRoot(folder)).close();
});

test('the lock of a killed daemon is gone with it', async () => {
  writeFileSync(join(folder, 'daemon.lock'), '');
  const holder = spawn('flock', ['--no-fork', join(folder, 'daemon.lock'), 'sh', '-c', 'echo held; exec sleep 60']);
  await once(holder.stdout, 'data');
  await expect(openDataRoot(folder)).rejects.toMatchObject({ kind: 'conflict' });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await openDataRoot(folder)).close();
});

test('a data root of a newer daemon is left alone', async () => {
  writeFileSync(join(folder, 'version'), '99\n');
  await expect(openDataRoot(folder)).rejects.toThrow(/layout 99/);
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
