import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

// The long drills: GANTRY_BUILDS=50 GANTRY_DEATHS=5 for many at once, GANTRY_BUILDS=4 GANTRY_DEATHS=50 for many moments.
const builds = Number(process.env.GANTRY_BUILDS ?? 5);
const deaths = Number(process.env.GANTRY_DEATHS ?? 2);
jest.setTimeout(120_000 + deaths * (10_000 + builds * 2000));
const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;

test('a daemon that is killed while it builds leaves nothing of the builds, and its cache still serves', async () => {
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, 'x'.repeat(2000)]));
  const done = contextTar('FROM busybox\nVOLUME /v\nCOPY . /all\nRUN echo done > /done\n', files);
  const first = await build(api(), done, { t: 'done' });
  expect(first.error).toBeUndefined();
  const before = onDisk();
  for (let death = 0; death < deaths; death++) {
    const running = Array.from({ length: builds }, (_, i) => {
      const text = [
        'FROM done AS base',
        `COPY . /${death}-${i}`,
        `RUN --mount=type=cache,target=/c --mount=type=bind,target=/b echo ${i} > /r; sleep 0.${i % 10}`,
        `ENV DEATH=${death}`,
        'FROM base AS other',
        'COPY --from=base /r /s',
        'RUN sleep 600 & wait',
        'FROM base',
        'RUN head -c 3000000 /dev/zero > /big',
        'COPY --from=other /s /s',
      ].join('\n');
      return build(api(), contextTar(text, files), { t: `cut:${death}-${i}` }).catch(() => undefined);
    });
    await eventually('a step to run', async () => (await containers()).length > 0, 60_000);
    // Not always in the same place: some are still copying, others run or wait for their commit.
    await new Promise((resolve) => setTimeout(resolve, (400 * death) % 2000));
    await daemon().kill();
    await Promise.all(running);
    await daemon().start();
    await eventually('what was cut off to be gone', async () => (await containers()).length === 0, 60_000);
    expect(readdirSync(join(daemon().dataRoot, 'builder/tmp'))).toEqual([]);
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    expect(mounts.split('\n').filter((line) => line.includes(daemon().dataRoot))).toEqual([]);
    const again = await build(api(), done);
    expect([again.imageId, again.output.match(/Using cache/g)?.length]).toEqual([first.imageId, 3]);
  }
  // Whatever images the cut off builds have left, each is whole, and known to the cache.
  const images = (await api().get('/images/json')).json<{ Id: string }[]>();
  for (const { Id } of images) expect((await api().get(`/images/${Id}/get`)).status).toBe(200);
  await api().post('/build/prune');
  const left = (await api().get('/images/json')).json<{ RepoTags: string[] }[]>();
  expect(left.map(({ RepoTags }) => RepoTags[0]).sort()).toEqual(['busybox:latest', 'done:latest']);
  await eventually('the disk to be as before', () => differences(before, onDisk()).length === 0, 10_000).catch(() => {
    expect(differences(before, onDisk())).toEqual([]);
  });
});

/** The history of events, shims that wait for whoever starts next, and uses of volumes, given back after a minute. */
const comesAndGoes = new Set(['data/events', 'exec/runtime-runc/pool', 'exec/volumes/mounts']);

/** Everything the daemon keeps, down to where contents of images begin. */
function onDisk(): string[] {
  const found: string[] = [];
  const visit = (path: string, depth: number) => {
    for (const entry of readdirSync(join(daemon().folder, path), { withFileTypes: true })) {
      const below = join(path, entry.name);
      if (comesAndGoes.has(below)) continue;
      found.push(below);
      if (entry.isDirectory() && depth < 5) visit(below, depth + 1);
    }
  };
  for (const root of ['data', 'exec']) visit(root, 1);
  return found.sort();
}

const differences = (before: readonly string[], after: readonly string[]) => [
  ...after.filter((path) => !before.includes(path)).map((path) => `+ ${path}`),
  ...before.filter((path) => !after.includes(path)).map((path) => `- ${path}`),
];

test('the result of a step that was made but not written down any more is found again', async () => {
  const context = contextTar('FROM busybox\nRUN echo first > /first\nRUN echo last > /last\n');
  const made = await build(api(), context);
  await daemon().kill();
  const path = join(daemon().dataRoot, 'builder/cache/records.jsonl');
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const missing = lines.findLastIndex((line) => line.includes(made.imageId!));
  writeFileSync(path, `${lines.filter((_, index) => index !== missing).join('\n')}\n{"key":"half of`);
  await daemon().start();
  const again = await build(api(), context);
  expect([again.imageId, again.output.match(/Using cache/g)?.length]).toEqual([made.imageId, 2]);
});

test('nobody takes away what a running build stands on', async () => {
  await api().post('/build/prune?all=1');
  const building = build(api(), contextTar('FROM busybox\nRUN echo first > /first\nENV A=b\nRUN sleep 3\n'), {
    t: 'undisturbed',
  });
  let last: Container | undefined;
  await eventually(
    'the last step to run',
    async () => {
      last = (await containers()).find(({ Command }) => Command.includes('sleep'));
      return last !== undefined;
    },
    60_000,
  );
  await api().post('/images/prune?filters={"dangling":["false"]}');
  await api().post('/build/prune?all=1');
  const refused = await api().delete(`/images/${last!.ImageID}?force=1`);
  expect([refused.status, refused.json<{ message: string }>().message]).toEqual([
    409,
    expect.stringMatching(/cannot be forced/),
  ]);
  expect((await building).error).toBeUndefined();
  expect((await api().delete('/images/undisturbed')).status).toBe(200);
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

interface Container {
  readonly Command: string;
  readonly ImageID: string;
}
const containers = async () => (await api().get('/containers/json?all=1')).json<Container[]>();
