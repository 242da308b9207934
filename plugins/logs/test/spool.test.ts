import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogBatch, type Logger, type LogWriter, unavailable } from '@gantry/sdk';
import { UndeliveredError } from '@gantry/sdk/log-drivers';
import { Spool } from '../spool/spool';
import { SpooledWriter } from '../spool/spooled-writer';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'gantry-spool-')), 'spool');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const batch = (data: string, timeNs = 1n): LogBatch => ({ source: 'stdout', timeNs, data: Buffer.from(data) });

/** A back end that goes away and comes back. */
class BackEnd implements LogWriter {
  isAway = false;
  text = '';
  hold: Promise<void> | undefined;
  asideBytes?: number;
  isPipelined?: boolean;
  takeBack?: () => Promise<readonly LogBatch[]>;
  failure: Error | undefined;
  closeFailure: Error | undefined;
  write({ data }: LogBatch) {
    if (this.failure) throw this.failure;
    this.text += data;
    return this.hold;
  }
  async flush() {}
  async close() {
    if (this.closeFailure) throw this.closeFailure;
  }
}

function writerFor(inner: BackEnd | undefined, maxBytes = 1_000_000, open = async () => inner as LogWriter) {
  const events: string[] = [];
  const writer = new SpooledWriter(inner, {
    spool: Spool.open(folder, maxBytes),
    log: quiet,
    open,
    onLeft: () => events.push('left'),
    onOver: () => events.push('over'),
    onDropped: ({ data }) => events.push(`dropped ${data}`),
  });
  return { writer, events };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1000) throw new Error('it did not come about in 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('while the back end is there nothing is kept, and a slow one holds the container back', async () => {
  const inner = new BackEnd();
  const { writer, events } = writerFor(inner);
  expect(writer.write(batch('1\n'))).toBeUndefined();
  let go = () => {};
  inner.hold = new Promise((resolve) => {
    go = resolve;
  });
  let taken = false;
  const wait = Promise.resolve(writer.write(batch('2\n'))).then(() => {
    taken = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(taken).toBe(false);
  go();
  await wait;
  await writer.close();
  expect(inner.text).toBe('1\n2\n');
  expect(existsSync(folder)).toBe(false);
  expect(events).toEqual(['over']);
});

test('what comes while the back end is away waits on disk and goes first when it is back', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  await writer.write(batch('1\n'));
  inner.isAway = true;
  for (const line of ['2\n', '3\n4\n']) expect(writer.write(batch(line))).toBeUndefined();
  expect(readdirSync(folder)).not.toEqual([]);
  inner.isAway = false;
  expect(writer.write(batch('5\n', 2n))).toBeUndefined();
  await until(() => inner.text.endsWith('5\n'));
  await writer.write(batch('6\n'));
  await writer.close();
  expect(inner.text).toBe('1\n2\n3\n4\n5\n6\n');
  expect(existsSync(folder)).toBe(false);
});

test('a container that waits for a back end that goes away is let go', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  inner.hold = new Promise(() => undefined);
  const wait = writer.write(batch('1\n'));
  inner.isAway = true;
  await wait;
  expect(writer.write(batch('2\n'))).toBeUndefined();
});

test('what the back end refused because it is away is kept, and only that', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  inner.failure = new UndeliveredError('gone', [batch('2\n')]);
  await writer.write(batch('1\n2\n'));
  inner.failure = undefined;
  await until(() => inner.text !== '');
  await writer.close();
  expect(inner.text).toBe('2\n');
});

test('a full spool holds the container back, and nothing is lost', async () => {
  const inner = new BackEnd();
  inner.isAway = true;
  const { writer } = writerFor(inner, 200);
  let count = 0;
  let wait: void | Promise<void>;
  do wait = writer.write(batch(`${++count}\n`, BigInt(count)));
  while (wait === undefined);
  expect(count).toBeGreaterThan(3);
  inner.isAway = false;
  await wait;
  await writer.close();
  expect(inner.text).toBe(Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(''));
});

test('closing does not wait for a back end that is away: the rest is delivered later, in order', async () => {
  const inner = new BackEnd();
  const later = new BackEnd();
  let isBack = false;
  const open = async () => {
    if (!isBack) throw unavailable('still away');
    return later;
  };
  const { writer, events } = writerFor(inner, 1_000_000, open);
  inner.isAway = true;
  await writer.write(batch('2\n'));
  inner.closeFailure = new UndeliveredError('it does not read', [batch('1\n')]);
  const before = performance.now();
  await writer.close();
  expect(performance.now() - before).toBeLessThan(1000);
  expect(events).toEqual(['left']);
  isBack = true;
  await until(() => events.includes('over'));
  expect(later.text).toBe('1\n2\n');
});

test('closing does not wait for a back end that takes nothing: what it had in its hands is kept and delivered later', async () => {
  const later = new BackEnd();
  const inner = new BackEnd();
  const { writer, events } = writerFor(inner, 1_000_000, async () => later);
  let refuse = (_error: Error) => {};
  inner.hold = new Promise((_resolve, reject) => {
    refuse = reject;
  });
  void writer.write(batch('1\n2\n'));
  inner.close = async () => refuse(new UndeliveredError('it is closed', [batch('2\n')]));
  const before = performance.now();
  await writer.close();
  expect(performance.now() - before).toBeLessThan(3000);
  await until(() => events.includes('over'));
  expect(later.text).toBe('2\n');
});

test('a driver that takes its time to close is not waited for, and then has what it did not take delivered', async () => {
  const later = new BackEnd();
  const inner = new BackEnd();
  const { writer, events } = writerFor(inner, 1_000_000, async () => later);
  await writer.write(batch('1\n'));
  let fail = (_error: Error) => {};
  const closing = new Promise<void>((_resolve, reject) => {
    fail = reject;
  });
  inner.close = () => closing;
  await writer.close();
  expect(events).toEqual([]);
  const closed = writer.closed();
  fail(new UndeliveredError('it did not read', [batch('1\n')]));
  await closed;
  await until(() => events.includes('over'));
  expect(later.text).toBe('1\n');
});

test('a driver that is closed in the middle of kept output loses none of it', async () => {
  const later = new BackEnd();
  const inner = new BackEnd();
  const { writer, events } = writerFor(inner, 1_000_000, async () => later);
  inner.isAway = true;
  for (const line of [1, 2, 3]) await writer.write(batch(`${line}\n`, BigInt(line)));
  let take = () => {};
  inner.hold = new Promise((resolve) => {
    take = resolve;
  });
  inner.isAway = false;
  await until(() => inner.text === '1\n');
  inner.close = async () => take();
  await writer.close();
  await until(() => events.includes('over'));
  expect(inner.text + later.text).toBe('1\n2\n3\n');
});

test('a back end that dies while its log is being ended is opened once more, to be asked what it has', async () => {
  const opened: BackEnd[] = [];
  const inner = new BackEnd();
  const { writer, events } = writerFor(inner, 1_000_000, async () => {
    opened.push(new BackEnd());
    return opened.at(-1)!;
  });
  await writer.write(batch('1\n'));
  inner.closeFailure = new UndeliveredError('it died', []);
  await writer.close();
  await until(() => events.includes('over'));
  expect(opened).toHaveLength(1);
  expect(events).toEqual(['left', 'over']);
});

test('a back end whose log never ends well is let go after a while', async () => {
  const inner = new BackEnd();
  inner.closeFailure = new UndeliveredError('it does not answer', []);
  const { writer, events } = writerFor(inner);
  await writer.write(batch('1\n'));
  await writer.close();
  await until(() => events.includes('over'));
  expect(existsSync(folder)).toBe(false);
});

test('a removed container is not waited for, and what its driver says later makes no folder', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  await writer.write(batch('1\n'));
  let fail = (_error: Error) => {};
  inner.close = () => new Promise((_resolve, reject) => (fail = reject));
  const before = performance.now();
  await writer.abandon(100);
  expect(performance.now() - before).toBeLessThan(1000);
  fail(new UndeliveredError('it did not read', [batch('1\n')]));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(existsSync(folder)).toBe(false);
});

test('a daemon after the one that kept it delivers it, with what that one had not noted as delivered', async () => {
  const first = new BackEnd();
  first.isAway = true;
  const { writer } = writerFor(first);
  await writer.write(batch('1\n'));
  await writer.write(batch('2\n'));
  await writer.abandon();
  const second = new BackEnd();
  const { writer: next } = writerFor(second);
  expect(next.write(batch('3\n'))).toBeUndefined();
  await until(() => second.text.endsWith('3\n'));
  expect(second.text).toBe('1\n2\n3\n');
  await next.close();
});

test('half an entry at the end of a file, as a crash leaves it, spoils nothing', async () => {
  const spool = Spool.open(folder, 1_000_000);
  spool.append(batch('1\n'));
  spool.close();
  const [file] = readdirSync(folder);
  appendFileSync(join(folder, file!), Buffer.from([0, 0, 0, 50, 10, 6]));
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  await writer.write(batch('2\n'));
  await until(() => inner.text.endsWith('2\n'));
  expect(inner.text).toBe('1\n2\n');
  await writer.close();
});

test('what a back end had in hand when it went away is on disk before the container goes on, in front of the rest', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  let refuse = (_error: Error) => {};
  inner.hold = new Promise((_resolve, reject) => {
    refuse = reject;
  });
  inner.takeBack = async () => {
    refuse(new UndeliveredError('it is not connected', [batch('1\n')]));
    return [];
  };
  const wait = writer.write(batch('1\n'));
  inner.isAway = true;
  expect(writer.write(batch('2\n', 2n))).toBeUndefined();
  await wait;
  // A daemon that is killed now leaves both to the next one.
  const { batches } = (await Spool.open(folder, 1_000_000).next())!;
  expect(batches.map(({ data }) => String(data))).toEqual(['1\n']);
  inner.text = '';
  inner.hold = undefined;
  inner.isAway = false;
  await until(() => inner.text.endsWith('2\n'));
  expect(inner.text).toBe('1\n2\n');
  await writer.close();
});

test('what a driver holds in memory is fetched when its back end goes away, though nothing more is printed', async () => {
  const inner = new BackEnd();
  const { writer } = writerFor(inner);
  inner.takeBack = async () => {
    inner.takeBack = async () => [];
    return [batch('1\n')];
  };
  await writer.write(batch('1\n'));
  inner.isAway = true;
  await until(() => !Spool.open(folder, 1_000_000).isEmpty);
  await writer.abandon();
});

test('a driver that could never be opened gets everything of a container that has ended meanwhile', async () => {
  const later = new BackEnd();
  let isBack = false;
  const open = async () => {
    if (!isBack) throw unavailable('still away');
    return later;
  };
  const { writer, events } = writerFor(undefined, 1_000_000, open);
  expect(writer.write(batch('1\n'))).toBeUndefined();
  await writer.close();
  expect(events).toEqual(['left']);
  isBack = true;
  await until(() => events.includes('over'));
  expect(later.text).toBe('1\n');
});

test('a driver that no container waits for gets all there is room for on disk, and what is dropped is told', async () => {
  const inner = new BackEnd();
  inner.asideBytes = 10;
  inner.isAway = true;
  const { writer, events } = writerFor(inner, 200);
  let count = 0;
  while (events.length === 0) expect(writer.write(batch(`${++count}\n`, BigInt(count)))).toBeUndefined();
  expect(events).toEqual([`dropped ${count}\n`]);
  inner.isAway = false;
  await until(() => inner.text.endsWith(`${count - 1}\n`));
  await writer.close();
  expect(inner.text).toBe(Array.from({ length: count - 1 }, (_, i) => `${i + 1}\n`).join(''));
});

test('many kept batches are given at once to a driver that gathers them, and again from the first it refused', async () => {
  const inner = new BackEnd();
  inner.isPipelined = true;
  inner.isAway = true;
  const { writer } = writerFor(inner);
  for (const number of [1, 2, 3, 4]) await writer.write(batch(`${number}\n`, BigInt(number)));
  let underWay = 0;
  const taken: string[] = [];
  let refusals = 2;
  inner.write = async ({ data }) => {
    underWay++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (taken.length === 2 && refusals-- > 0) throw unavailable('busy');
    taken.push(String(data));
  };
  inner.isAway = false;
  await until(() => underWay > 0);
  expect(underWay).toBe(4);
  await until(() => taken.length === 4);
  expect(taken).toEqual(['1\n', '2\n', '3\n', '4\n']);
  await writer.close();
});

test('what was delivered of a file stays delivered, however often something is put in front of it', async () => {
  const texts = async (spool: Spool) => {
    const all: string[] = [];
    for (let next = await spool.next(); next !== undefined; next = await spool.next()) {
      all.push(...next.batches.map(({ data }) => String(data)));
      spool.advance(next);
    }
    return all;
  };
  const spool = Spool.open(folder, 10_000_000);
  const big = (number: number) => batch(`${number} ${'x'.repeat(200_000)}\n`, BigInt(number));
  for (const number of [1, 2, 3]) spool.append(big(number));
  const first = (await spool.next())!;
  expect(first.batches).toHaveLength(1);
  spool.advance(first);
  for (const text of ['b\n', 'a\n']) spool.prepend([batch(text)]);
  spool.close();
  const numbers = (await texts(Spool.open(folder, 10_000_000))).map((text) => text[0]);
  expect(numbers).toEqual(['a', 'b', '2', '3']);
});
