import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { configOf, digestOf, dockerArchive } from './support/image-archive';
import { type StartedPlugin, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

jest.setTimeout(60_000);

describe('layers unpacked while their archive still comes', () => {
  let folder: string;
  let engine: StartedPlugin;
  beforeEach(async () => {
    folder = fs.mkdtempSync(join(tmpdir(), 'gantry-early-'));
    engine = await startPlugin(folder);
  });
  afterEach(async () => {
    await engine.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const scratch = () => fs.readdirSync(join(folder, 'tmp'));
  const layerCount = () => fs.readdirSync(join(folder, 'layers')).filter((name) => name !== 'staging').length;
  // Larger than what is written to the archive's file at once, so that it is there before the archive ends.
  const layer = (name: string) => tarOf([{ name, data: randomBytes(6 << 20) }]);
  const load = async (body: Buffer | PassThrough) => (await engine.call('POST', '/images/load?quiet=1', body)).lines;

  test('one layer in two stacks, a tar that is no layer and an archive loaded again: every image is whole, nothing else stays', async () => {
    const [shared, base, stranger] = [layer('shared'), layer('base'), layer('stranger')];
    const stacks = [[shared], [base, shared]];
    const archive = tarOf([
      { name: 'stranger.tar', data: stranger },
      ...[shared, base].map((data) => ({ name: `${digestOf(data).slice(7)}.tar`, data })),
      ...stacks.map((layers, i) => ({ name: `config${i}.json`, data: configOf(layers) })),
      {
        name: 'manifest.json',
        data: JSON.stringify(
          stacks.map((layers, i) => ({
            Config: `config${i}.json`,
            RepoTags: [`app:${i}`],
            Layers: layers.map((data) => `${digestOf(data).slice(7)}.tar`),
          })),
        ),
      },
    ]);
    const loaded = [0, 1].map((i) => ({ stream: `Loaded image: app:${i}\n` }));
    expect(await load(archive)).toEqual(loaded);
    expect(await load(archive)).toEqual(loaded);
    expect(layerCount()).toBe(3);
    expect(scratch()).toEqual([]);
    const saved = await engine.call('GET', '/images/get?names=app:0&names=app:1');
    await engine.call('DELETE', '/images/app:0');
    await engine.call('DELETE', '/images/app:1');
    expect(layerCount()).toBe(0);
    expect(await load(saved.bytes)).toEqual(loaded);
  });

  test('an archive that breaks off after whole layers leaves nothing', async () => {
    const archive = dockerArchive([layer('one'), layer('two')], ['app:1']);
    const body = new PassThrough();
    const loading = load(body);
    body.write(Buffer.from(archive.subarray(0, 11 << 20)));
    while (!scratch().some((name) => name.includes('layer'))) await new Promise((resolve) => setTimeout(resolve, 10));
    body.destroy(new Error('the client is gone'));
    expect(await loading).toEqual([expect.objectContaining({ error: 'the client is gone' })]);
    expect(scratch()).toEqual([]);
    expect(layerCount()).toBe(0);
  });

  test('a layer that is not what the config says, and one that is cut short, are refused and leave nothing', async () => {
    const good = layer('good');
    const bad = layer('bad');
    const wrong = dockerArchive([good, bad], ['app:1'], [good, layer('another')]);
    expect(await load(wrong)).toEqual([
      expect.objectContaining({ error: expect.stringContaining('the image config says') }),
    ]);
    const short = dockerArchive([good, bad], ['app:1'], [good, bad.subarray(0, 5 << 20)]);
    expect(await load(short)).toEqual([expect.objectContaining({ error: expect.stringContaining('unexpected EOF') })]);
    expect(scratch()).toEqual([]);
    expect(layerCount()).toBe(0);
  });
});
