import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CountingRegistry, startCountingRegistry } from '../support/counting-registry';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { busyboxImage, digestOf, dockerArchive, type TestImage } from '../support/images';

/** How often the daemon is killed. The long drill is GANTRY_IMAGE_KILLS=100. */
const kills = Number(process.env.GANTRY_IMAGE_KILLS ?? 3);
const seed = Number(process.env.GANTRY_IMAGE_SEED ?? Date.now() % 1_000_000);
jest.setTimeout(60_000 + kills * 20_000);

const daemon = daemonForSuite({ busybox: false });
let registry: CountingRegistry;
beforeAll(async () => {
  registry = await startCountingRegistry(12_000_000);
});
afterAll(() => registry.close());

let state = seed;
/** Whole numbers below `limit`; the same seed gives the same choices. @see Numerical Recipes, LCG */
function random(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

interface Candidate {
  readonly name: string;
  readonly id: string;
  /** Digests of compressed layers by their short ids, as progress lines name them; none for what is loaded. */
  readonly blobs: ReadonlyMap<string, string>;
  begin(): Promise<Attempt>;
}

interface Attempt {
  /** Progress lines so far. */
  readonly lines: readonly Record<string, unknown>[];
  /** Settles when the answer ends, whole or cut off. @returns whether it succeeded */
  readonly done: Promise<boolean>;
}

const layer = (name: string, megabytes: number) => [
  { name: `${name}/` },
  ...Array.from({ length: 40 }, (_, i) => ({ name: `${name}/small${i}`, data: `${name} ${i}` })),
  { name: `${name}/large`, data: randomBytes(megabytes << 20) },
];
const shared = layer('shared', 3);

function makeImage(reference: string): TestImage {
  return busyboxImage({ reference, layers: [shared, layer(`${reference}-a`, 2), layer(`${reference}-b`, 1)] });
}

/** Sends a request and reads its progress lines as they come. */
async function attempt(path: string, body?: Buffer): Promise<Attempt> {
  const lines: Record<string, unknown>[] = [];
  const run = async () => {
    const response = await daemon().api.open('POST', path, { body, headers: { 'Content-Type': 'application/x-tar' } });
    let rest = '';
    for await (const chunk of response) {
      const parts = (rest + String(chunk)).split('\r\n');
      rest = parts.pop()!;
      for (const part of parts) lines.push(JSON.parse(part));
    }
    return response.complete && response.statusCode === 200 && lines.every(({ error }) => error === undefined);
  };
  return { lines, done: run().catch(() => false) };
}

function candidates(): Candidate[] {
  const pulled = ['one', 'two', 'three'].map((reference): Candidate => {
    const image = makeImage(reference);
    const digests = registry.put(`team/${reference}`, 'v1', image);
    const name = `${registry.host}/team/${reference}:v1`;
    const blobs = new Map(digests.map((digest) => [digest.slice(7, 19), digest]));
    const path = `/images/create?fromImage=${registry.host}/team/${reference}&tag=v1`;
    return { name, id: digestOf(image.config), blobs, begin: () => attempt(path) };
  });
  const loaded = ['four:v1', 'five:v1'].map((reference): Candidate => {
    const image = makeImage(reference);
    const archive = dockerArchive(image);
    const begin = () => attempt('/images/load', archive);
    return { name: reference, id: digestOf(image.config), blobs: new Map(), begin };
  });
  return [...pulled, ...loaded];
}

/** The daemon's list and its folders tell the same, and every image can be read to its last bit. */
async function consistent(): Promise<Set<string>> {
  const { api, dataRoot } = daemon();
  const root = join(dataRoot, 'images');
  const listed = (await api.get('/images/json?all=1')).json<{ Id: string; RepoTags: string[] }[]>();
  for (const { Id } of listed) {
    const saved = await api.get(`/images/${Id}/get`);
    if (saved.status !== 200) throw new Error(`${Id} cannot be saved: ${saved.text}`);
  }
  const named = (folder: string) => readdirSync(join(root, folder)).filter((name) => /^[0-9a-f]{64}/.test(name));
  expect(named('images').sort()).toEqual(listed.map(({ Id }) => `${Id.slice(7)}.json`).sort());
  expect(named('overlay2').sort()).toEqual(named('layers').sort());
  for (const folder of ['tmp', 'overlay2/staging', 'layers/staging'])
    await eventually(`${folder} to be empty`, () => readdirSync(join(root, folder)).length === 0);
  expect(readdirSync(root).filter((name) => name.includes('.tmp-'))).toEqual([]);
  return new Set(listed.map(({ Id }) => Id));
}

/** Layers of which the lines say that they were received whole. */
const finishedIn = (lines: Attempt['lines'], blobs: Candidate['blobs']): string[] =>
  lines
    .filter(({ status }) => ['Download complete', 'Pull complete', 'Already exists'].includes(String(status)))
    .map(({ id }) => blobs.get(String(id))!);

test(`${kills} kills at any moment of pull, load and remove leave a whole store, and nothing is fetched twice (seed ${seed})`, async () => {
  const all = candidates();
  let present = new Set<string>();
  for (let n = 0; n < kills; n++) {
    const chosen = all[random(all.length)]!;
    const isRemoval = present.has(chosen.id);
    let acknowledged = false;
    let lines: Attempt['lines'] = [];
    registry.takeSent();
    if (isRemoval) {
      const removed = daemon().api.delete(`/images/${encodeURIComponent(chosen.name)}?force=1`);
      void removed.then(
        ({ status }) => (acknowledged = status === 200),
        () => {},
      );
      await sleep(random(60));
    } else {
      const begun = await chosen.begin();
      lines = begun.lines;
      void begun.done.then((ok) => (acknowledged = ok));
      await sleep(random(1200));
    }
    const wasAcknowledged = acknowledged;
    await daemon().kill();
    await sleep(20);
    const finished = isRemoval ? [] : finishedIn(lines, chosen.blobs);
    await daemon().start();
    present = await consistent();
    if (wasAcknowledged) expect([n, present.has(chosen.id)]).toEqual([n, !isRemoval]);
    registry.takeSent();
    // The next attempt succeeds, with what was there already.
    if (isRemoval) await daemon().api.delete(`/images/${encodeURIComponent(chosen.name)}?force=1`);
    else {
      const again = await chosen.begin();
      if (!(await again.done)) throw new Error(`attempt after kill ${n + 1}: ${JSON.stringify(again.lines.at(-1))}`);
      const sent = registry.takeSent();
      expect([n, finished.filter((digest) => sent.has(digest))]).toEqual([n, []]);
    }
    present = await consistent();
    expect([n, present.has(chosen.id)]).toEqual([n, !isRemoval]);
  }
  for (const { name, id } of all)
    if (present.has(id)) await daemon().api.delete(`/images/${encodeURIComponent(name)}?force=1`);
  await daemon().api.post('/images/prune');
  expect(await consistent()).toEqual(new Set());
  const left = (folder: string) => readdirSync(join(daemon().dataRoot, 'images', folder));
  expect({ layers: left('layers'), content: left('content'), ingest: left('ingest') }).toEqual({
    layers: ['staging'],
    content: [],
    ingest: [],
  });
});
