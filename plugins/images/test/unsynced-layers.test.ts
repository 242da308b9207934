import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnsyncedLayers } from '../store/unsynced-layers';
import { dockerArchive } from './support/image-archive';
import { type StartedPlugin, silent, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

jest.setTimeout(60_000);

describe('layers that may not have reached the disk', () => {
  let folder: string;
  let engine: StartedPlugin;
  beforeEach(async () => {
    folder = fs.mkdtempSync(join(tmpdir(), 'gantry-unsynced-'));
    engine = await startPlugin(folder);
  });
  afterEach(async () => {
    await engine.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const layer = (name: string) => tarOf([{ name, data: randomBytes(5000) }]);
  const load = (layers: readonly Buffer[], tag: string) =>
    engine.call('POST', '/images/load?quiet=1', dockerArchive(layers, [tag]));
  const tags = async () => {
    const { body } = await engine.call('GET', '/images/json');
    return (body as { RepoTags: string[] }[]).flatMap(({ RepoTags }) => RepoTags).sort();
  };
  const records = () =>
    fs
      .readdirSync(join(folder, 'layers'))
      .filter((name) => name !== 'staging')
      .map((name) => join(folder, 'layers', name, 'record.json'));
  const read = (path: string) => JSON.parse(fs.readFileSync(path, 'utf8')) as Record<string, unknown>;
  /** What the next start finds when the power went away a moment after the layers came. */
  const losePower = async () => {
    await engine.stop();
    for (const path of records()) fs.writeFileSync(path, JSON.stringify({ ...read(path), unsyncedSince: 'earlier' }));
  };
  const fileIn = (name: string) => {
    const found = fs
      .readdirSync(join(folder, 'overlay2'))
      .map((id) => join(folder, 'overlay2', id, 'diff', name))
      .find((path) => fs.existsSync(path));
    return found!;
  };

  test('an image whose files did not all arrive is dropped after a loss of power, with what stands on it; others stay', async () => {
    const shared = layer('shared');
    const damaged = layer('damaged');
    await load([shared, damaged], 'lost:1');
    await load([shared, damaged, layer('above')], 'lost:2');
    await load([shared, layer('other')], 'kept:1');
    await losePower();
    fs.truncateSync(fileIn('damaged'), 0);

    engine = await startPlugin(folder);
    expect(await tags()).toEqual(['kept:1']);
    expect(records()).toHaveLength(2);
    await load([shared, damaged], 'lost:1');
    expect(await tags()).toEqual(['kept:1', 'lost:1']);
  });

  test('a layer without a readable record is dropped, and its image with it', async () => {
    await load([layer('one')], 'lost:1');
    await engine.stop();
    fs.truncateSync(records()[0]!, 0);

    engine = await startPlugin(folder);
    expect(await tags()).toEqual([]);
    expect(records()).toEqual([]);
  });

  test('a daemon that was killed finds its layers as they were: the machine went on', async () => {
    await load([layer('one')], 'kept:1');
    expect(records().map((path) => typeof read(path).unsyncedSince)).toEqual(['string']);
    await engine.stop();
    // Read again it would be found damaged.
    fs.truncateSync(fileIn('one'), 0);

    engine = await startPlugin(folder);
    expect(await tags()).toEqual(['kept:1']);
  });

  test('a container that was committed is on the disk before the answer', async () => {
    const id = randomBytes(32).toString('hex');
    const path = await (await engine.images.createRootFilesystem(id, undefined, { bare: true })).mount();
    fs.writeFileSync(join(path, 'mine'), 'mine');
    const commit = { containerId: id, config: {}, createdBy: 'me', author: '', comment: '' };
    await engine.images.commit(commit, new AbortController().signal);
    expect(records().map((record) => read(record).unsyncedSince)).toEqual([undefined]);
    await engine.images.removeRootFilesystem(id);
  });
});

describe('one flush for many layers', () => {
  test('comes a moment after the last layer, tells of all, and a failed one is tried again with the next', async () => {
    const safe: string[][] = [];
    let isBroken = true;
    const layers = new UnsyncedLayers(
      async () => {
        if (isBroken) throw new Error('the disk is gone');
      },
      async (chainIds) => void safe.push([...chainIds].sort()),
      silent,
      5,
    );
    layers.add('one');
    layers.add('two');
    layers.add('removed');
    layers.forget('removed');
    await expect(layers.flush()).rejects.toThrow('the disk is gone');
    expect(safe).toEqual([]);
    isBroken = false;
    layers.add('three');
    await layers.flush();
    expect(safe).toEqual([['one', 'three', 'two']]);
    layers.close();
  });
});
