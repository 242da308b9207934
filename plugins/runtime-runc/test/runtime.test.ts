import { existsSync, readdirSync } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task, TaskCreate } from '@gantry/sdk';
import { CgroupDirectories } from '../oci/cgroup-directories';
import type { Runtimes } from '../open-runtimes';
import { findShims } from '../shim/find-shims';
import { busyboxSpec, makeTestBed, newId, readAll, readUntil, type TestBed } from './busybox-container';

let bed: TestBed;
let runtimes: Runtimes;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const never = new AbortController().signal;

beforeAll(async () => {
  bed = await makeTestBed();
  runtimes = await bed.open();
});

afterAll(async () => {
  for (const runtime of Object.values(runtimes.byName)) for (const id of await runtime.list()) await runtime.purge(id);
  await runtimes.close();
  await (await CgroupDirectories.of('/gantry-test')).remove();
  await bed.remove();
});

async function expectNothingLeft(id: string): Promise<void> {
  // A killed process needs a moment to be gone.
  const until = Date.now() + 2000;
  while ((await findShims(bed.runDir)).length > 0 && Date.now() < until) await pause(5);
  expect(await findShims(bed.runDir)).toEqual([]);
  for (const name of ['runc', 'crun']) {
    const tasks = join(bed.runDir, 'tasks', name);
    expect(existsSync(tasks) ? readdirSync(tasks) : []).toEqual([]);
    expect(existsSync(join(bed.runDir, 'state', name, 'gantry', id))).toBe(false);
  }
  expect(existsSync(`/sys/fs/cgroup/memory/gantry-test/${id}`)).toBe(false);
}

/** A zombie is dead; when it is reaped is up to the machine's first process. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+Z/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each(['runc', 'crun'])('%s', (name) => {
  function create(args: string[], options: Partial<TaskCreate> = {}): Promise<Task> {
    const id = options.id ?? newId();
    const terminal = options.terminal ?? false;
    return runtimes.byName[name]!.create(
      { id, spec: busyboxSpec(bed, id, args, terminal), openStdin: false, terminal, ...options },
      never,
    );
  }

  test('a container writes to both streams and ends with its exit code', async () => {
    const task = await create(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(await task.status()).toBe('created');
    await task.start();
    const [out, err, exit] = await Promise.all([
      readAll(task.streams.stdout),
      readAll(task.streams.stderr),
      task.wait(),
    ]);
    expect([out, err, exit.code]).toEqual(['out\n', 'err\n', 7]);
    expect(Math.abs(exit.exitedAt.getTime() - Date.now())).toBeLessThan(5000);
    expect(await task.status()).toBe('stopped');
    await task.delete();
    await task.delete();
    await expectNothingLeft(task.id);
  });

  test('stdin reaches the process and its end ends it', async () => {
    const task = await create(['cat'], { openStdin: true });
    await task.start();
    const output = readAll(task.streams.stdout);
    const payload = 'x'.repeat(300_000);
    task.streams.stdin!.write(payload);
    task.streams.stdin!.end('end');
    expect(await output).toBe(`${payload}end`);
    expect((await task.wait()).code).toBe(0);
    await task.delete();
  });

  test('a killed process reports 128 and the signal', async () => {
    const task = await create(['sleep', '1000']);
    await task.start();
    await task.kill(9);
    expect((await task.wait()).code).toBe(137);
    await expect(task.kill(9)).rejects.toMatchObject({ kind: 'not-found' });
    await task.delete();
  });

  test('a signal right after the start is for the program, not for the runtime that is still in its place', async () => {
    const id = newId();
    const spec = busyboxSpec(bed, id, ['sleep', '1000']);
    // Run between the answer to the start and the exec of the program. runc's Go would end with 2 on the signal.
    const task = await create([], {
      id,
      spec: { ...spec, hooks: { startContainer: [{ path: '/bin/sleep', args: ['sleep', '0.3'], env: [] }] } },
    });
    await task.start();
    await task.kill(15);
    expect(await readlink(`/proc/${task.pid}/exe`)).toContain('busybox');
    await task.kill(9);
    expect((await task.wait()).code).toBe(137);
    await task.delete();
    await expectNothingLeft(id);
  });

  test('a terminal has the size it was given', async () => {
    const task = await create(['sh'], { openStdin: true, terminal: true });
    await task.start();
    await task.resize(101, 33);
    task.streams.stdin!.write('stty size; exit\n');
    expect(await readAll(task.streams.stdout)).toContain('33 101');
    await task.wait();
    await task.delete();
    await expectNothingLeft(task.id);
  });

  test('further processes run with their own streams, terminal and exit code', async () => {
    const task = await create(['sleep', '1000']);
    await task.start();
    const env = ['PATH=/bin'];
    const process = (args: string[]) => ({ user: { uid: 0, gid: 0 }, args, env, cwd: '/' });
    const plain = await task.exec({
      id: newId(),
      process: process(['sh', '-c', 'cat; echo err >&2; exit 3']),
      openStdin: true,
      terminal: false,
    });
    plain.streams.stdin!.end('hello');
    expect(await Promise.all([readAll(plain.streams.stdout), readAll(plain.streams.stderr)])).toEqual([
      'hello',
      'err\n',
    ]);
    expect((await plain.wait()).code).toBe(3);

    const shell = await task.exec({ id: newId(), process: process(['sh']), openStdin: true, terminal: true });
    await shell.resize(77, 22);
    shell.streams.stdin!.write('stty size\n');
    await readUntil(shell.streams.stdout, '22 77');
    await shell.kill(9);
    expect((await shell.wait()).code).toBe(137);

    await expect(
      task.exec({ id: newId(), process: process(['nope']), openStdin: false, terminal: false }),
    ).rejects.toThrow(/nope.*(not found|No such file)/s);
    expect(readdirSync(join(bed.runDir, 'tasks', name, task.id)).filter((file) => /^[0-9a-f]{64}-/.test(file))).toEqual(
      [],
    );
    await task.delete();
    await expectNothingLeft(task.id);
  });

  test('a program that is not there fails the create in the words of the OCI runtime and leaves nothing', async () => {
    const id = newId();
    await expect(create(['nope'], { id })).rejects.toThrow(/^OCI runtime create failed: .*nope/s);
    await expectNothingLeft(id);
  });

  test('a paused container can be killed, its processes counted and its limits changed', async () => {
    const task = await create(['sh', '-c', 'sleep 1000 & sleep 1000; true']);
    await task.start();
    while ((await task.pids()).length < 3) await pause(10);
    await task.update({ pids: { limit: 77 } });
    expect((await readFile(`/sys/fs/cgroup/pids/gantry-test/${task.id}/pids.max`, 'utf8')).trim()).toBe('77');
    await task.pause();
    expect(await task.status()).toBe('paused');
    await task.resume();
    expect(await task.status()).toBe('running');
    await task.pause();
    await task.kill(9);
    expect((await task.wait()).code).toBe(137);
    expect(await task.oomKilled()).toBe(false);
    await task.delete();
    await expectNothingLeft(task.id);
  });

  test('a running container is found again by the next daemon, with nothing of its output lost', async () => {
    const task = await create(['sh', '-c', 'cat; seq 1 3000; exit 5'], { openStdin: true });
    await task.start();
    task.streams.stdin!.write('before\n');
    expect(await readUntil(task.streams.stdout, 'before\n')).toBe('before\n');
    await runtimes.close();

    runtimes = await bed.open();
    const again = (await runtimes.byName[name]!.reconnect(task.id, { openStdin: true, terminal: false }))!;
    expect(again.pid).toBe(task.pid);
    again.streams.stdin!.end('after\n');
    const [out, exit] = await Promise.all([readAll(again.streams.stdout), again.wait()]);
    expect(out).toBe(`after\n${Array.from({ length: 3000 }, (_, i) => `${i + 1}\n`).join('')}`);
    expect(exit.code).toBe(5);
    await again.delete();
    await expectNothingLeft(task.id);
  });

  test('what ended while no daemon was there keeps its exit code, time and last output', async () => {
    const task = await create(['sh', '-c', 'sleep 0.2; echo last words; exit 9']);
    await task.start();
    await runtimes.close();
    await pause(1000);
    const returned = Date.now();

    runtimes = await bed.open();
    const again = (await runtimes.byName[name]!.reconnect(task.id, { openStdin: false, terminal: false }))!;
    expect(await readAll(again.streams.stdout)).toBe('last words\n');
    const exit = await again.wait();
    expect(exit.code).toBe(9);
    expect(exit.exitedAt.getTime()).toBeLessThan(returned - 300);
    await again.delete();
    await expectNothingLeft(task.id);
  });

  test('a container whose shim was killed counts as killed and is cleaned up', async () => {
    const task = await create(['sleep', '1000']);
    await task.start();
    const [shim] = await findShims(join(bed.runDir, 'tasks'));
    process.kill(shim!.pid, 'SIGKILL');
    expect((await task.wait()).code).toBe(137);
    await task.delete();
    expect(await isAlive(task.pid)).toBe(false);
    await expectNothingLeft(task.id);
  });

  test('a container that was killed for its memory says so', async () => {
    const id = newId();
    const spec = busyboxSpec(bed, id, ['dd', 'if=/dev/zero', 'of=/dev/big', 'bs=1M', 'count=64']);
    spec.linux.resources = { memory: { limit: 16 * 1024 * 1024, swap: 16 * 1024 * 1024 } };
    const task = await create([], { id, spec });
    await task.start();
    expect((await task.wait()).code).toBe(137);
    expect(await task.oomKilled()).toBe(true);
    await task.delete();
    expect(await task.oomKilled()).toBe(true);
    await expectNothingLeft(id);
  });

  test('the runtime says which program it is', async () => {
    expect(await runtimes.byName[name]!.version()).toMatchObject({ name, version: expect.stringMatching(/^\d/) });
  });
});

test('a container nobody remembers is purged with all that it had', async () => {
  const id = newId();
  const runc = runtimes.byName.runc;
  const spec = busyboxSpec(bed, id, ['sleep', '1000']);
  await (await runc.create({ id, spec, openStdin: false, terminal: false }, never)).start();
  await runtimes.close();
  runtimes = await bed.open();
  expect(await runtimes.byName.runc.list()).toEqual([id]);
  await runtimes.byName.runc.purge(id);
  await expectNothingLeft(id);
});

test('spare shims serve containers, and those of a daemon that was killed are collected', async () => {
  await runtimes.close();
  const killed = await bed.open({ warmShims: 2 });
  const start = async (from: Runtimes) => {
    const id = newId();
    const spec = busyboxSpec(bed, id, ['cat']);
    const task = await from.byName.runc.create({ id, spec, openStdin: true, terminal: false }, never);
    await task.start();
    return task;
  };
  const pool = join(bed.runDir, 'pool');
  const spares = () => findShims(pool);
  const first = await start(killed);
  while ((await spares()).length < 2) await pause(10);
  await pause(500);
  const before = (await spares()).map(({ pid }) => pid);
  const second = await start(killed);
  const [taken] = await findShims(join(bed.runDir, 'tasks/runc', second.id));
  expect(before).toContain(taken!.pid);
  // A killed daemon starts no further shims: let this one finish the spare it makes in place of the taken one.
  while ((await spares()).length < 2) await pause(10);
  await pause(200);
  const unused = (await spares()).map(({ pid }) => pid);

  // The other daemon is not closed: it is as if it had been killed.
  runtimes = await bed.open();
  for (const pid of unused) while (await isAlive(pid)) await pause(5);
  for (const { id } of [first, second]) {
    const again = (await runtimes.byName.runc.reconnect(id, { openStdin: true, terminal: false }))!;
    await again.kill(9);
    expect((await again.wait()).code).toBe(137);
    await again.delete();
  }
  await killed.close();
  await expectNothingLeft(first.id);
});

test('a runtime of daemon.json is run with its path and arguments', async () => {
  await runtimes.close();
  runtimes = await bed.open({
    runtimes: {
      mine: { path: '/usr/sbin/runc', runtimeArgs: ['--debug'] },
      missing: { path: '/nowhere/runc' },
      wrong: { options: { BinaryNames: 'runc' } },
    },
  });
  const id = newId();
  const request = { id, spec: busyboxSpec(bed, id, ['true']), openStdin: false, terminal: false };
  const task = await runtimes.byName.mine!.create(request, never);
  await task.start();
  expect((await task.wait()).code).toBe(0);
  expect(await readFile(join(bed.runDir, 'tasks/mine', id, 'log.json'), 'utf8')).toContain('debug');
  await task.delete();
  await expect(runtimes.byName.missing!.create(request, never)).rejects.toMatchObject({
    kind: 'not-found',
    message: expect.stringContaining('/nowhere/runc is not installed'),
  });
  await expect(runtimes.byName.wrong!.create(request, never)).rejects.toThrow('option "BinaryNames" is not supported');
});
