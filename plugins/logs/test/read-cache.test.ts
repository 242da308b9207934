import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { DriverSet, LogDriver, LogEntry, Logger, LogInfo } from '@gantry/sdk';
import { makeLocalDriver } from '../../log-local/local-driver';
import { makeLogManager } from '../log-manager';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-log-cache-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const info = (options: Record<string, string> = {}) =>
  ({ containerId: 'c', logPath: join(directory, 'c-json.log'), options }) as LogInfo;

/** Takes lines, loses them, and is not to be read. */
const blackHole = (write: () => void | Promise<void> = () => undefined): LogDriver => ({
  validate: () => undefined,
  open: async () => ({ write, flush: async () => undefined, close: async () => undefined }),
});

function managerWith(remote: LogDriver) {
  const all: Record<string, LogDriver> = { remote, local: makeLocalDriver(quiet) };
  const drivers: DriverSet<LogDriver> = {
    names: () => Object.keys(all),
    get: (name) => all[name],
    nameOf: (name) => name,
    resolve: async (name) => all[name]!,
    discover: async () => {},
    entries: () => Object.entries(all),
  };
  return makeLogManager(drivers, { logDriver: 'remote', logOpts: {} }, quiet, { publish() {} });
}

async function log(manager: ReturnType<typeof managerWith>, text: string, from: LogInfo): Promise<void> {
  const stdout = new PassThrough();
  const pump = await manager.startPump('remote', from, { stdout });
  stdout.end(text);
  await pump.done;
}

async function read(manager: ReturnType<typeof managerWith>, from: LogInfo): Promise<string> {
  const entries: LogEntry[] = [];
  const batches = manager.read('remote', from, { follow: false }, new AbortController().signal);
  for await (const some of batches) entries.push(...some);
  return entries.map(({ line }) => line.toString()).join('');
}

test('what a driver cannot read back is read from a copy, which goes with the container', async () => {
  const manager = managerWith(blackHole());
  await log(manager, 'one\ntwo\n', info());
  expect(await manager.canRead('remote', info())).toBe(true);
  expect(await read(manager, info())).toBe('one\ntwo\n');
  await manager.remove('remote', info());
  expect(await readdir(join(directory, 'log-cache')).catch(() => [])).toEqual([]);
});

test('the copy has options of its own and can be switched off', async () => {
  const manager = managerWith(blackHole());
  const small = info({ 'cache-max-size': '1k', 'cache-max-file': '1' });
  await log(manager, Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join(''), small);
  const kept = await read(manager, small);
  expect(kept).toMatch(/line 499\n$/);
  expect(kept).not.toContain('line 0\n');
  await expect(read(manager, info({ 'cache-disabled': 'true' }))).rejects.toThrow('does not support reading');
});

test('a driver that fails does not keep the copy from getting everything', async () => {
  const manager = managerWith(blackHole(() => Promise.reject(new Error('the other end is gone'))));
  await log(manager, 'one\n', info());
  expect(await read(manager, info())).toBe('one\n');
});
