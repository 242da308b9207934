import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

// The long drill: GANTRY_BUILDS=50 GANTRY_DEATHS=10.
const builds = Number(process.env.GANTRY_BUILDS ?? 6);
const deaths = Number(process.env.GANTRY_DEATHS ?? 2);
const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;

test('a daemon that is killed while it builds leaves nothing of the builds, and its cache still serves', async () => {
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, 'x'.repeat(2000)]));
  const done = contextTar('FROM busybox\nCOPY . /all\nRUN echo done > /done\n', files);
  const first = await build(api(), done, { t: 'done' });
  expect(first.error).toBeUndefined();
  for (let death = 0; death < deaths; death++) {
    const running = Array.from({ length: builds }, (_, i) => {
      const text = `FROM busybox\nCOPY . /${death}-${i}\nRUN --mount=type=cache,target=/c echo ${i} > /r; sleep 0.${i}\nRUN sleep 600 & wait\n`;
      return build(api(), contextTar(text, files), { t: `cut:${death}-${i}` }).catch(() => undefined);
    });
    await eventually('a step to run', async () => (await containers()).length > 0, 60_000);
    // Not always in the same place: some are still copying, others run or wait for their commit.
    await new Promise((resolve) => setTimeout(resolve, 300 * death));
    await daemon().kill();
    await Promise.all(running);
    await daemon().start();
    await eventually('what was cut off to be gone', async () => (await containers()).length === 0, 60_000);
    expect(readdirSync(join(daemon().dataRoot, 'builder/tmp'))).toEqual([]);
    expect(readdirSync(join(daemon().dataRoot, 'builder/steps'))).toEqual([]);
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    expect(mounts.split('\n').filter((line) => line.includes(daemon().dataRoot))).toEqual([]);
    const again = await build(api(), done);
    expect([again.imageId, again.output.match(/Using cache/g)?.length]).toEqual([first.imageId, 2]);
  }
  // Whatever images the cut off builds have left, each is whole.
  const images = (await api().get('/images/json?all=1')).json<{ Id: string }[]>();
  for (const { Id } of images) expect((await api().get(`/images/${Id}/get`)).status).toBe(200);
  await api().post('/build/prune?all=1');
  const left = (await api().get('/images/json')).json<{ RepoTags: string[] }[]>();
  expect(left.map(({ RepoTags }) => RepoTags[0]).sort()).toEqual(['busybox:latest', 'done:latest']);
});

test('a daemon that is told to stop does not wait for its builds, and leaves nothing of them', async () => {
  const building = build(api(), contextTar('FROM busybox\nRUN trap "" TERM; sleep 600'), { nocache: '1' }).catch(
    () => undefined,
  );
  await eventually('the step to run', async () => (await containers()).length > 0, 60_000);
  const startedAt = Date.now();
  await daemon().stop();
  // Well below the ten seconds a container is given to stop by itself.
  expect(Date.now() - startedAt).toBeLessThan(8000);
  await building;
  await daemon().start();
  expect(await containers()).toEqual([]);
  expect(readdirSync(join(daemon().dataRoot, 'builder/tmp'))).toEqual([]);
});

const containers = async () => (await api().get('/containers/json?all=1')).json<{ Id: string }[]>();
