import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RetainedOutput } from '@gantry/sdk';
import { mkfifo } from '@gantry/sdk/linux/fifo';
import { retainedOutput } from '../task/output-stream';
import { Retention } from '../task/retention';

let directory: string;
let path: string;
/** The shim's part: it holds both ends, so that what is in the FIFO outlives a daemon. */
let held: number[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-output-'));
  path = join(directory, 'stdout');
  mkfifo(path);
  Retention.prepare(path);
  held = [openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)];
  held.push(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
});
afterEach(() => {
  for (const fd of held) closeSync(fd);
  rmSync(directory, { recursive: true });
});

const print = (text: string | Buffer) => writeSync(held[1]!, Buffer.from(text));
const open = () => retainedOutput(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), path) as RetainedOutput;

/** The next chunk of a stream that is being read. */
function reader(stream: RetainedOutput, deal: (chunk: Buffer) => void | Promise<void>): () => Promise<string> {
  const chunks: string[] = [];
  let wake: (() => void) | undefined;
  stream.retain((chunk) => {
    chunks.push(chunk.toString());
    wake?.();
    return deal(chunk);
  });
  return async () => {
    while (chunks.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return chunks.shift()!;
  };
}

/** As a daemon that is killed: nothing is told to anybody. */
const kill = (stream: RetainedOutput) => new Promise((resolve) => stream.once('close', resolve).destroy());

test('what was not let go is handed over again, in front of what came later', async () => {
  const first = open();
  const next = reader(first, () => first.keep(4));
  print('one\ntwo\nthre');
  expect(await next()).toBe('one\ntwo\nthre');
  await kill(first);
  print('e\nfour\n');
  const second = open();
  expect(second.left).toMatchObject({ data: Buffer.from('thre'), markedNs: undefined });
  const later = reader(second, () => second.keep(0));
  expect(await later()).toBe('thre');
  expect(await later()).toBe('e\nfour\n');
  await kill(second);
  const third = open();
  expect(third.left).toBeUndefined();
  await kill(third);
});

test('a chunk that was being stored comes back with the time it was marked with, and its note', async () => {
  const first = open();
  let isFirst = true;
  const next = reader(first, () => {
    if (isFirst) {
      first.note.write('note');
      first.keep(2);
      isFirst = false;
    } else first.mark(42n);
  });
  print('line\nha');
  await next();
  print('lf\nmore\n');
  expect(await next()).toBe('lf\nmore\n');
  await kill(first);
  const second = open();
  expect(second.left).toMatchObject({ data: Buffer.from('half\nmore\n'), markedNs: 42n });
  expect(second.left!.note.toString('utf8', 0, 4)).toBe('note');
  await kill(second);
});

test('nothing is read while a chunk is being dealt with, and every byte of much output comes once', async () => {
  const stream = open();
  let go = () => {};
  let dealt = 0;
  const all: Buffer[] = [];
  const over = new Promise((resolve) => stream.once('end', resolve));
  stream.retain((chunk) => {
    all.push(chunk);
    if (dealt++ > 0) return stream.keep(Math.min(7, chunk.length));
    return new Promise<void>((resolve) => {
      go = () => {
        go = () => {};
        stream.keep(0);
        resolve();
      };
    });
  });
  const printed: Buffer[] = [];
  for (let count = 0; count < 60; count++) {
    const text = Buffer.alloc(4096, `${count} `);
    printed.push(text);
    for (let done = false; !done; ) {
      try {
        print(text);
        done = true;
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('EAGAIN');
        go();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }
  while (dealt === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  go();
  for (const fd of held.splice(0)) closeSync(fd);
  await over;
  expect(Buffer.concat(all).equals(Buffer.concat(printed))).toBe(true);
});

test('one who reads it as any stream gets what was left first', async () => {
  const first = open();
  const next = reader(first, () => undefined);
  print('left ');
  await next();
  await kill(first);
  const second = open();
  print('and new');
  const text = new Promise<string>((resolve) => {
    let read = '';
    second.on('data', (chunk) => {
      read += chunk;
      if (read.endsWith('new')) resolve(read);
    });
  });
  expect(await text).toBe('left and new');
  await kill(second);
});
