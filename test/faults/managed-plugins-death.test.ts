import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { buildPlugin } from '../support/managed-plugin/build-plugin';
import { makeTar, type TarEntry } from '../support/tar';

// The long drill: GANTRY_DEATHS=50.
const deaths = Number(process.env.GANTRY_DEATHS ?? 2);
jest.setTimeout(120_000 + deaths * 30_000);
const daemon = daemonForSuite({ busybox: false, tidy: (each) => each.removeEverything() });
const api = () => daemon().api;

interface Listed {
  readonly Id: string;
  readonly Name: string;
  readonly Enabled: boolean;
}

let archive: Buffer;
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-plugin-'));
  archive = makeTar(entriesOf(buildPlugin(folder)));
  rmSync(folder, { recursive: true });
});

test('a daemon that is killed at any moment leaves no half plugin, no mount and no process, and plugins come back', async () => {
  await create('steady');
  expect((await api().post('/plugins/steady/enable?timeout=10')).status).toBe(200);
  expect((await api().post('/volumes/create', { Name: 'kept', Driver: 'steady' })).status).toBe(201);
  const steady = (await listed())[0]!;
  for (let death = 0; death < deaths; death++) {
    const name = `moving${death % 3}`;
    let acknowledged: 'none' | 'disabled' | 'enabled' | 'in doubt' = 'in doubt';
    const work = (async () => {
      for (;;) {
        acknowledged = 'in doubt';
        if (!(await listed()).some(({ Name }) => Name === `${name}:latest`)) await create(name);
        acknowledged = 'disabled';
        for (const verb of ['enable?timeout=0', 'disable', 'enable?timeout=0']) {
          acknowledged = 'in doubt';
          const { status } = await api().post(`/plugins/${name}/${verb}`);
          acknowledged = status === 200 ? (verb === 'disable' ? 'disabled' : 'enabled') : 'in doubt';
        }
        acknowledged = 'in doubt';
        await api().delete(`/plugins/${name}?force=1`);
        acknowledged = 'none';
      }
    })().catch(() => undefined);
    await sleep((death * 373) % 2500);
    const before = acknowledged;
    await daemon().kill();
    await work;
    await daemon().start();

    // What was acknowledged holds, and the plugin nobody touched serves.
    const now = await listed();
    const moving = now.find(({ Name }) => Name === `${name}:latest`);
    const state = moving === undefined ? 'none' : moving.Enabled ? 'enabled' : 'disabled';
    if (before !== 'in doubt') expect([death, state]).toEqual([death, before]);
    expect(now.find(({ Id }) => Id === steady.Id)?.Enabled).toBe(true);
    const volume = (await api().get('/volumes/kept')).json<{ Driver: string; Status: { version: string } }>();
    expect([volume.Driver, volume.Status]).toEqual(['steady:latest', { version: '1' }]);
    if (moving?.Enabled) {
      const made = await api().post('/volumes/create', { Name: `of-${name}`, Driver: name });
      expect([made.status, made.text]).toEqual([201, expect.stringContaining(`${name}:latest`)]);
      await api().delete(`/volumes/of-${name}`);
    }
    const enabled = now.filter(({ Enabled }) => Enabled).map(({ Id }) => Id);
    await eventually('only what is enabled to run and be mounted', () => {
      expect(running().sort()).toEqual([...enabled].sort());
      expect(mounted().sort()).toEqual([...enabled].sort());
      return true;
    });
    expect(readdirSync(join(daemon().dataRoot, 'plugins')).sort()).toEqual(now.map(({ Id }) => Id).sort());
    expect(readdirSync(join(daemon().dataRoot, 'images/plugin-roots'))).toHaveLength(now.length);
    expect(readdirSync(join(daemon().dataRoot, 'plugin-manager/tmp'))).toEqual([]);
  }
  await api().delete('/volumes/kept');
});

async function create(name: string): Promise<void> {
  const headers = { 'Content-Type': 'application/x-tar' };
  const { status, text } = await api().request('POST', `/plugins/create?name=${name}`, { body: archive, headers });
  if (status !== 204) throw new Error(`create ${name}: ${status} ${text}`);
}

const listed = async () => (await api().get('/plugins')).json<Listed[]>();

/** Ids of the plugins that have a process: the daemon's control groups tell. */
function running(): string[] {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it))) {
    try {
      const group = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
      const id = new RegExp(`${daemon().cgroupParent}/([0-9a-f]{64})`).exec(group)?.[1];
      if (id !== undefined) found.add(id);
    } catch {
      // It ended while we looked.
    }
  }
  return [...found];
}

/** Ids of the plugins whose propagated mount is there. */
function mounted(): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const points = new RegExp(` ${daemon().dataRoot}/plugins/([0-9a-f]{64})/propagated-mount `, 'g');
  return [...new Set([...mounts.matchAll(points)].map(([, id]) => id!))];
}

function entriesOf(folder: string, prefix = ''): TarEntry[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry): TarEntry[] => {
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) return [{ name: `${name}/` }, ...entriesOf(folder, `${name}/`)];
    return [{ name, data: readFileSync(join(folder, name)), mode: 0o755 }];
  });
}
