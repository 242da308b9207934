import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { legacyImages } from '../archive/legacy-images';
import { configOf, digestOf, dockerArchive } from './support/image-archive';
import { type StartedPlugin, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

/** Archives and configurations as dockerd 28.5.2 writes them. */
jest.setTimeout(30_000);

let folder: string;
let engine: StartedPlugin;
beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-saved-'));
  engine = await startPlugin(folder);
});
afterEach(async () => {
  await engine.stop();
  fs.rmSync(folder, { recursive: true });
});

interface Entry {
  readonly name: string;
  readonly modified: number;
  readonly data: Buffer;
}

/** Of a tar whose entries are plain files and folders with short names. */
function entriesOf(tar: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const field = (from: number, length: number) =>
      tar.toString('latin1', at + from, at + from + length).split('\0')[0]!;
    const size = Number.parseInt(field(124, 12), 8);
    const data = tar.subarray(at + 512, at + 512 + size);
    entries.push({ name: field(0, 100), modified: Number.parseInt(field(136, 12), 8), data });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

const layer = tarOf([{ name: 'file', data: 'content' }]);
const above = tarOf([{ name: 'other', data: 'more' }]);
const save = async (...names: string[]) =>
  entriesOf((await engine.call('GET', `/images/get?names=${names.join('&names=')}`)).bytes);
const configIn = (entries: Entry[]) => {
  const manifest = JSON.parse(String(entries.find(({ name }) => name === 'manifest.json')!.data));
  return JSON.parse(String(entries.find(({ name }) => name === manifest[0].Config)!.data));
};

test('each layer of an archive has its legacy image, byte for byte', () => {
  const container = {
    ...{ Hostname: 'bfa53b6420ac', Domainname: '', User: '', AttachStdin: false, AttachStdout: true },
    ...{ AttachStderr: true, Tty: false, OpenStdin: false, StdinOnce: false, Env: ['PATH=/bin'] },
    ...{ Cmd: ['sh', '-c', 'echo x > /y'], Image: 'vibb', Volumes: null, WorkingDir: '', Entrypoint: null },
    ...{ OnBuild: null, Labels: {} },
  };
  const diffIds = [
    'sha256:b277d87a525a648d9c40fbe50963cf095bf146c8af33d98932e968bfd72f9952',
    'sha256:c71a8ecfc7cfe7f6ebf71561a2e616ede72548af8db938256cd0a4358a2672fa',
  ];
  const config = {
    architecture: 'amd64',
    author: 'me',
    config: container,
    container: 'bfa53b6420ac36faef4bd080128e133472499d5aa2484897b29d6ccfe9dfb2f3',
    container_config: container,
    created: '2026-11-22T00:26:31.862415303Z',
    docker_version: '28.5.2+dfsg4',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  const documents = legacyImages(Buffer.from(JSON.stringify(config)), diffIds);
  expect(documents.map(digestOf)).toEqual([
    'sha256:b8ab36473b538ad0cdb6c6af22086535bd28ce21702f15b190c34aed3e00bbd1',
    'sha256:9a9da85442ddab3f8f954f231e9d14ab2d5f91ef8ea96cfb80a3dc876f1c9498',
  ]);
});

test('an archive has what dockerd puts into it, with the times it gives', async () => {
  await engine.call('POST', '/images/load', dockerArchive([layer], ['app:v1']));
  const config = configOf([layer]);
  const legacy = legacyImages(config, [digestOf(layer)]);
  const made = Date.parse('2024-01-02T03:04:05Z') / 1000;
  const entries = await save('app:v1');
  const files = [config, layer, ...legacy].map((data) => [`blobs/sha256/${digestOf(data).slice(7)}`, made]);
  const manifest = entries.find(({ data }) =>
    data.includes('"schemaVersion":2,"mediaType":"application/vnd.oci.image.m'),
  );
  expect(entries.map(({ name, modified }) => [name, modified])).toEqual(
    [
      ['blobs/', made],
      ['blobs/sha256/', 0],
      [manifest!.name, 0],
      ...files,
      ...['index.json', 'manifest.json', 'oci-layout', 'repositories'].map((name) => [name, 0]),
    ].sort(),
  );
  const text = (name: string) => String(entries.find((entry) => entry.name === name)?.data);
  expect(text('oci-layout')).toBe('{"imageLayoutVersion": "1.0.0"}');
  expect(text('repositories')).toBe(`{"app":{"v1":"${digestOf(layer).slice(7)}"}}\n`);
});

test('what is imported names the engine, and has every field of a container configuration', async () => {
  await engine.call('POST', '/images/create?fromSrc=-&repo=made&tag=v1&message=note&changes=ENV%20A=<b>', layer);
  const entries = await save('made:v1');
  const plain = { Hostname: '', Domainname: '', User: '', AttachStdin: false, Env: null, Labels: null };
  expect(configIn(entries)).toMatchObject({
    comment: 'note',
    docker_version: '1.2.3',
    config: { ...plain, Env: ['A=<b>'] },
    container_config: plain,
  });
  expect(entries.some(({ data }) => data.includes('A=\\u003cb\\u003e'))).toBe(true);
  const shown = await engine.call('GET', '/images/made:v1/json');
  expect(shown.body).toMatchObject({ DockerVersion: '1.2.3', Config: { Env: ['A=<b>'], Labels: null } });
});

test('images of one archive stay parent and child', async () => {
  const history = (count: number) => ({
    history: Array.from({ length: count }, (_, i) => ({ created: '2024-01-02T03:04:05Z', created_by: `step ${i}` })),
  });
  const [below, child] = [configOf([layer], history(1)), configOf([layer, above], history(2))];
  const archive = (parent: object) => {
    const blobs = [below, child, layer, above].map((data) => ({ name: digestOf(data).slice(7), data }));
    const named = (data: Buffer) => digestOf(data).slice(7);
    const list = [
      { Config: named(child), RepoTags: ['child:v1'], Layers: [layer, above].map(named), ...parent },
      { Config: named(below), RepoTags: ['below:v1'], Layers: [named(layer)] },
    ];
    return tarOf([...blobs, { name: 'manifest.json', data: JSON.stringify(list) }]);
  };
  await engine.call('POST', '/images/load', archive({ Parent: digestOf(below) }));
  expect((await engine.call('GET', '/images/child:v1/json')).body).toMatchObject({ Parent: digestOf(below) });
  const manifest = (await save('child:v1', 'below:v1')).find(({ name }) => name === 'manifest.json')!;
  expect(JSON.parse(String(manifest.data))[0]).toMatchObject({ Parent: digestOf(below) });
  const alone = (await save('child:v1')).find(({ name }) => name === 'manifest.json')!;
  expect(String(alone.data)).not.toContain('Parent');
});
