import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkfifo } from '../fifo';
import { PidFd } from '../pidfd';

test('a FIFO is made with its mode, and not over something that exists', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-fifo-'));
  try {
    const path = join(directory, 'pipe');
    mkfifo(path, 0o640);
    expect(lstatSync(path).isFIFO()).toBe(true);
    expect(() => mkfifo(path)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a process is signalled by its descriptor as long as it lives', async () => {
  const child = spawn('sleep', ['100']);
  const handle = PidFd.open(child.pid!);
  const exited = once(child, 'exit');
  expect(() => handle.signal(999)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  handle.signal(15);
  expect(await exited).toEqual([null, 'SIGTERM']);
  expect(() => handle.signal(15)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  handle.close();
  handle.close();
  expect(() => handle.signal(15)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  expect(() => PidFd.open(child.pid!)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
});
