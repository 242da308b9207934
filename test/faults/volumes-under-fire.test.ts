import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { attachLoop, loopsOf, makeFileSystem } from '../support/loop-device';

/** How often the daemon is killed. The long drill is GANTRY_VOLUME_KILLS=100. */
const kills = Number(process.env.GANTRY_VOLUME_KILLS ?? 2);
const seed = Number(process.env.GANTRY_VOLUME_SEED ?? Date.now() % 1_000_000);
jest.setTimeout(60_000 + kills * 30_000);

const folder = mkdtempSync(join(tmpdir(), 'gantry-shelf-'));
const shelf = join(folder, 'shelf.sock');
let program: ChildProcess;
let detach: (() => void) | undefined;

// Before the daemon starts, and after it went: it needs the plugin and the devices.
beforeAll(async () => {
  const main = resolve(__dirname, '../../examples/volume-over-socket/dist/main.js');
  program = spawn(process.execPath, [main, '--socket', shelf, '--root', join(folder, 'shelves')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(program.stdout!, 'data');
});
const daemon = daemonForSuite({
  config: { plugins: { shelf: { socket: shelf } } },
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});
afterAll(async () => {
  program.kill('SIGKILL');
  await once(program, 'exit');
  detach?.();
  rmSync(folder, { recursive: true, force: true });
});

let state = seed;
/** Whole numbers below `limit`; the same seed gives the same drill. @see Numerical Recipes, LCG */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** What has been acknowledged of a volume, and what was asked since. */
type Truth = 'there' | 'gone' | 'open';

test(`${kills} kills in the middle of creations, runs and removals lose no volume and leave nothing (seed ${seed})`, async () => {
  const { api, dataRoot } = daemon();
  const own = join(folder, 'own-loop.img');
  const fixed = join(folder, 'device.img');
  for (const image of [own, fixed]) makeFileSystem('ext4', image, 16);
  const loop = attachLoop(fixed);
  detach = loop.detach;
  const kinds = {
    plain: { Driver: 'local', Labels: { kind: 'plain' } },
    device: { Driver: 'local', DriverOpts: { type: 'ext4', device: loop.device } },
    loop: { Driver: 'local', DriverOpts: { type: 'ext4', device: own, o: 'loop' } },
    plugin: { Driver: 'shelf' },
  };
  const truth = new Map<string, Truth>();
  const counted = { created: 0, ran: 0, removed: 0 };

  /** Creates, uses and removes one volume again and again until nobody answers. */
  async function live(kind: keyof typeof kinds, round: number): Promise<void> {
    for (let n = 0; ; n++) {
      const Name = `${kind}-${round}-${n}`;
      truth.set(Name, 'open');
      if ((await api.post('/volumes/create', { Name, ...kinds[kind] })).status !== 201) return;
      truth.set(Name, 'there');
      counted.created++;
      const body = {
        Image: 'busybox',
        Cmd: ['touch', '/v/file'],
        HostConfig: { NetworkMode: 'none', Binds: [`${Name}:/v`] },
      };
      const { Id } = (await api.post('/containers/create', body)).json<{ Id: string }>();
      expect((await api.post(`/containers/${Id}/start`)).text).toBe('');
      expect((await api.post(`/containers/${Id}/wait`)).json().StatusCode).toBe(0);
      expect((await api.delete(`/containers/${Id}`)).text).toBe('');
      counted.ran++;
      truth.set(Name, 'open');
      expect((await api.delete(`/volumes/${Name}`)).text).toBe('');
      truth.set(Name, 'gone');
      counted.removed++;
    }
  }

  for (let round = 0; round < kills; round++) {
    const lives = (Object.keys(kinds) as (keyof typeof kinds)[]).map((kind) => live(kind, round));
    const ended = Promise.allSettled(lives);
    await sleep(random(2000));
    await daemon().kill();
    // Only a connection that broke may end a life.
    for (const end of await ended)
      if (end.status === 'rejected') expect(String(end.reason)).toMatch(/ECONN|EPIPE|socket hang up|aborted/);
    await daemon().start();
    const { Volumes } = (await api.get('/volumes')).json<{ Volumes: { Name: string; Labels: unknown }[] }>();
    const listed = new Map(Volumes.map(({ Name, Labels }) => [Name, Labels]));
    for (const [name, known] of truth) {
      if (known === 'there') expect([name, listed.has(name)]).toEqual([name, true]);
      if (known === 'gone') expect([name, listed.has(name)]).toEqual([name, false]);
      if (known === 'there' && name.startsWith('plain')) expect(listed.get(name)).toEqual({ kind: 'plain' });
    }
    const containers = (await api.get('/containers/json?all=1')).json<{ Id: string }[]>();
    for (const { Id } of containers) expect((await api.delete(`/containers/${Id}?force=1`)).text).toBe('');
    for (const name of listed.keys()) expect((await api.delete(`/volumes/${name}`)).text).toBe('');
    // What was half made goes in the background.
    await eventually('nothing to be left', () => remains().length === 0, 5000).catch(() => {});
    expect(remains()).toEqual([]);
    truth.clear();
  }
  if (kills > 10) console.info(`${kills} kills, seed ${seed}: ${JSON.stringify(counted)}`);

  /** All that may be left of volumes once none is there. */
  function remains(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '');
    const registerPath = join(folder, 'shelves/shelves.json');
    // The plugin makes it with its first volume, which no kill may have let come about yet.
    const register = existsSync(registerPath) ? (JSON.parse(readFileSync(registerPath, 'utf8')) as object) : {};
    return [
      ...mounts.filter((point) => point.startsWith(join(dataRoot, 'volumes'))),
      ...loopsOf(own),
      ...readdirSync(join(dataRoot, 'volumes')).filter((name) => name !== '.records'),
      ...readdirSync(join(dataRoot, 'volumes/.records')),
      ...readdirSync(join(daemon().execRoot, 'volumes/mounts')),
      ...readdirSync(join(daemon().execRoot, 'volume-local/held')),
      ...Object.keys(register),
    ];
  }
});
