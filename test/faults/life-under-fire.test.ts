import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite, testRuntime } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

/** How often the daemon is killed. The long drill is GANTRY_LIFE_KILLS=300. */
const kills = Number(process.env.GANTRY_LIFE_KILLS ?? 10);
const seed = Number(process.env.GANTRY_LIFE_SEED ?? Date.now() % 1_000_000);
const hands = 3;
jest.setTimeout(60_000 + kills * 20_000);

const daemon = daemonForSuite({
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});

let state = seed;
/** Whole numbers below `limit`; the same seed gives the same drill. @see Numerical Recipes, LCG */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

interface Promised {
  readonly name: string;
  /** The code it ends with by itself, once it was started. */
  readonly code: number;
  started: boolean;
  /** Asked to be removed: afterwards it may be there or not. */
  doomed: boolean;
  /** The removal was acknowledged: it must not be there. */
  gone: boolean;
}

/** Containers whose creation was acknowledged, by id. */
const promised = new Map<string, Promised>();
let serial = 0;

/** One life: create, start, enter, stop, remove. A kill may end it anywhere; what was acknowledged is noted down. */
async function live(isOver: () => boolean): Promise<void> {
  const { api } = daemon();
  const acknowledged = async (work: Promise<{ status: number }>) => (await work).status < 300;
  const name = `life${serial++}`;
  const code = 1 + random(100);
  const lasting = random(2) === 0;
  const created = await api.post(`/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sh', '-c', lasting ? 'exec sleep 1000' : `echo said; exit ${code}`],
    HostConfig: { NetworkMode: random(3) === 0 ? 'bridge' : 'none', Binds: random(2) === 0 ? [`${name}:/data`] : [] },
  });
  if (created.status !== 201) throw new Error(`create: ${created.status} ${created.text}`);
  const { Id } = created.json<{ Id: string }>();
  const mine: Promised = { name, code: lasting ? 137 : code, started: false, doomed: false, gone: false };
  promised.set(Id, mine);
  mine.started = await acknowledged(api.post(`/containers/${Id}/start`));
  if (lasting && random(2) === 0) {
    const exec = await api.post(`/containers/${Id}/exec`, { Cmd: ['true'] });
    if (exec.status === 201) await api.post(`/exec/${exec.json<{ Id: string }>().Id}/start`, { Detach: true });
  }
  if (isOver()) return;
  if (lasting && random(3) > 0) await acknowledged(api.post(`/containers/${Id}/stop?t=0`));
  if (random(2) === 0) return;
  mine.doomed = true;
  mine.gone = await acknowledged(api.delete(`/containers/${Id}?force=1&v=1`));
}

interface Summary {
  readonly Id: string;
  readonly State: string;
}

/** Whether the daemon stands by what it acknowledged, and the machine holds what the daemon knows of. */
async function consistent(): Promise<boolean> {
  const { api } = daemon();
  const list = (await api.get('/containers/json?all=1')).json<Summary[]>();
  const ids = new Set(list.map(({ Id }) => Id));
  for (const [id, { name, doomed, gone }] of promised) {
    if (!ids.has(id) && !doomed) throw new Error(`${name} was created and is lost`);
    if (ids.has(id) && gone) throw new Error(`${name} was removed and is back`);
  }
  for (const { Id, State } of list) {
    const { State: told } = (await api.get(`/containers/${Id}/json`)).json<{
      State: { Pid: number; ExitCode: number; Running: boolean; Dead: boolean };
    }>();
    if (told.Running !== told.Pid > 0) throw new Error(`${Id} runs: ${told.Running}, with pid ${told.Pid}`);
    if (told.Running && !existsSync(`/proc/${told.Pid}`)) throw new Error(`${Id} runs without a process`);
    const mine = promised.get(Id);
    // A removal by force that was cut off has killed it.
    if (mine?.started && !mine.doomed && State === 'exited' && told.ExitCode !== mine.code)
      throw new Error(`${mine.name} ended with ${mine.code}, the daemon says ${told.ExitCode}`);
  }
  const running = list.filter(({ State }) => State === 'running').length;
  const bundles = folders(join(daemon().execRoot, 'runtime-runc/tasks', testRuntime));
  if (bundles !== running) throw new Error(`${running} containers run, ${bundles} bundles are there`);
  const layers = folders(join(daemon().dataRoot, 'containers'));
  if (layers !== list.length) throw new Error(`${list.length} containers, ${layers} folders of containers`);
  return true;
}

const folders = (path: string): number => (existsSync(path) ? readdirSync(path).length : 0);

test(`${kills} kills at any moment of create, start, exec, stop and remove lose nothing that was acknowledged (seed ${seed})`, async () => {
  for (let n = 0; n < kills; n++) {
    let killed = false;
    const works = Array.from({ length: hands }, async () => {
      while (!killed) {
        // The call that the kill interrupts fails; before that, none may.
        await live(() => killed).catch((error) => {
          if (!killed && daemon().runs && !/ECONN|socket hang up|EPIPE/.test(String(error))) throw error;
        });
        await sleep(1);
      }
    });
    await sleep(10 + random(400));
    killed = true;
    await daemon().kill();
    await Promise.all(works);
    await daemon().start();
    await eventually(`the daemon to stand by its word after kill ${n + 1} (seed ${seed})`, consistent);
    if (promised.size < 40) continue;
    // Now and then the table is cleared.
    await daemon().removeEverything();
    promised.clear();
  }
});
