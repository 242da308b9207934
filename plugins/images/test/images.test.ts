import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { mountPointsBelow } from '../snapshots/mount-table';
import { configOf, digestOf, dockerArchive, ociLayout } from './support/image-archive';
import { type StartedPlugin, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

jest.setTimeout(30_000);

describe.each(['overlay2', 'vfs'])('images on %s', (driver) => {
  let folder: string;
  let engine: StartedPlugin;
  /** Of everything that stands on the driver's layers. */
  let root: string;
  beforeEach(async () => {
    folder = fs.mkdtempSync(join(tmpdir(), 'gantry-images-'));
    engine = await startPlugin(folder, driver);
    root = driver === 'overlay2' ? folder : join(folder, 'drivers', driver);
  });
  afterEach(async () => {
    await engine.images.collectRootFilesystems(new Set());
    await engine.stop();
    expect(await mountPointsBelow(folder)).toEqual([]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const base = tarOf([
    { name: 'bin/' },
    { name: 'bin/tool', data: 'tool', mode: 0o755 },
    { name: 'etc/' },
    { name: 'etc/keep', data: 'kept' },
    { name: 'etc/drop', data: 'dropped' },
    { name: 'cache/' },
    { name: 'cache/old', data: 'old' },
  ]);
  const above = tarOf([
    { name: 'etc/' },
    { name: 'etc/.wh.drop' },
    { name: 'cache/' },
    { name: 'cache/.wh..wh..opq' },
    { name: 'cache/new', data: 'new' },
    { name: 'hard', data: 'linked' },
    { name: 'link', flag: '1', link: 'hard' },
  ]);
  const archive = dockerArchive([base, above], ['app:v1', 'app:latest']);
  const imageId = digestOf(configOf([base, above]));
  const containerId = () => randomBytes(32).toString('hex');

  interface Shown {
    readonly Id: string;
    readonly RepoTags: readonly string[];
    readonly Comment: string;
    readonly Config: object;
    readonly RootFS: { readonly Layers: readonly string[] };
    readonly GraphDriver: object;
  }

  const load = async (content: Buffer, query = 'quiet=1') =>
    (await engine.call('POST', `/images/load?${query}`, content)).lines;
  const list = async (query = '') => (await engine.call('GET', `/images/json?${query}`)).body as Shown[];
  const inspect = async (name: string) => (await engine.call('GET', `/images/${name}/json`)).body as Shown;
  const layerFolders = () => fs.readdirSync(join(root, driver)).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const remains = () => ({
    layers: layerFolders(),
    staging: [...fs.readdirSync(join(root, driver, 'staging')), ...fs.readdirSync(join(root, 'layers/staging'))],
    records: fs.readdirSync(join(root, 'layers')).filter((name) => name !== 'staging'),
    scratch: fs.readdirSync(join(root, 'tmp')),
    links: driver === 'overlay2' ? fs.readdirSync(join(root, driver, 'l')).filter((name) => name !== 'init') : [],
    images: fs.readdirSync(join(root, 'images')),
    blobs: fs.readdirSync(join(root, 'content')),
  });
  const nothing = { layers: [], staging: [], records: [], scratch: [], links: [], images: [], blobs: [] };

  test('a docker archive loads, and its image is listed and inspected under all its names', async () => {
    expect(await load(archive)).toEqual([
      { stream: 'Loaded image: app:v1\n' },
      { stream: 'Loaded image: app:latest\n' },
    ]);
    expect(await list()).toEqual([
      expect.objectContaining({
        Id: imageId,
        RepoTags: ['app:latest', 'app:v1'],
        Size: 27,
        Containers: 0,
        SharedSize: -1,
        Labels: { purpose: 'test' },
      }),
    ]);
    for (const name of ['app', 'app:v1', imageId, imageId.slice(7, 19)]) expect((await inspect(name)).Id).toBe(imageId);
    const shown = await inspect('app');
    expect(shown.RootFS).toEqual({ Type: 'layers', Layers: [base, above].map(digestOf) });
    const below = driver === 'overlay2' ? { LowerDir: expect.stringMatching(/overlay2\/[0-9a-f]{64}\/diff$/) } : null;
    expect(shown.GraphDriver).toEqual({ Name: driver, Data: below && expect.objectContaining(below) });
    expect(engine.events.map((event) => event.action)).toEqual(['load']);
    const other = encodeURIComponent('{"os":"linux","architecture":"s390x"}');
    await expect(engine.call('GET', `/images/app/json?platform=${other}`)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(inspect('app:v2')).rejects.toMatchObject({ kind: 'not-found', message: 'No such image: app:v2' });
  });

  test.each([
    ['a gzip archive', gzipSync(archive)],
    ['an archive of gzip layers', dockerArchive([base, above], ['app:v1'], [gzipSync(base), gzipSync(above)])],
    [
      'an OCI layout',
      ociLayout(
        [base, above],
        [gzipSync(base), gzipSync(above)],
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'docker.io/library/app:v1',
      ),
    ],
  ])('%s gives the same image', async (_, content) => {
    await load(content);
    expect((await inspect('app:v1')).Id).toBe(imageId);
  });

  test('a saved archive is the same each time, and loads as the same image after everything was removed', async () => {
    await load(archive);
    const first = (await engine.call('GET', '/images/get?names=app:v1')).bytes;
    await engine.call('DELETE', '/images/app:v1');
    await engine.call('DELETE', '/images/app:latest');
    expect(await list()).toEqual([]);
    expect(remains()).toEqual(nothing);
    await load(first);
    expect((await list())[0]).toMatchObject({ Id: imageId, RepoTags: ['app:v1'] });
    expect((await engine.call('GET', '/images/get?names=app:v1')).bytes.equals(first)).toBe(true);
  });

  const otherLayer = tarOf([{ name: 'x', data: 'x' }]);
  test.each([
    ['no manifest', tarOf([{ name: 'x', data: 'x' }]), 'does not contain a manifest.json'],
    ['not a tar', Buffer.alloc(4096, 'no'), 'invalid tar header'],
    ['cut off', archive.subarray(0, archive.length - 3000), 'unexpected EOF'],
    ['empty body', Buffer.alloc(0), 'does not contain a manifest.json'],
    ['a layer other than the config says', dockerArchive([base], ['a:b'], [otherLayer]), 'the image config says'],
    ['a missing layer', dockerArchive([base], ['a:b'], []), 'layers length mismatch'],
    ['a bad tag', dockerArchive([base], ['Bad:b']), 'must be lowercase'],
    ['an evil layer', dockerArchive([tarOf([{ name: '../evil', data: 'x' }])], ['a:b']), 'leaves the layer'],
    ['a config that is no JSON', dockerArchive([base], ['a:b'], [base], Buffer.from('{')), 'invalid image config'],
    ['a broken gzip', gzipSync(archive).subarray(0, 300), ''],
  ])('%s is refused and leaves nothing', async (_, content, message) => {
    // In the stream, as dockerd does.
    expect(await load(content)).toEqual([expect.objectContaining({ error: expect.stringContaining(message) })]);
    expect(remains()).toEqual(nothing);
  });

  test('a container sees the layers merged, and its changes are told', async () => {
    await load(archive);
    const id = containerId();
    const rootfs = await engine.images.createRootFilesystem(id, imageId);
    const path = await rootfs.mount();
    expect(await rootfs.mount()).toBe(path);
    const read = (name: string) => fs.readFileSync(join(path, name), 'utf8');
    expect([read('etc/keep'), read('cache/new'), read('bin/tool')]).toEqual(['kept', 'new', 'tool']);
    expect(fs.readdirSync(join(path, 'cache'))).toEqual(['new']);
    expect(fs.readdirSync(join(path, 'etc')).sort()).toEqual(['hostname', 'hosts', 'keep', 'mtab', 'resolv.conf']);
    expect(fs.statSync(join(path, 'hard')).ino).toBe(fs.statSync(join(path, 'link')).ino);
    expect(fs.existsSync(join(path, '.dockerenv'))).toBe(true);
    expect(await engine.images.rootFilesystemChanges(id)).toEqual([]);

    fs.writeFileSync(join(path, 'etc/keep'), 'changed');
    fs.mkdirSync(join(path, 'added'));
    fs.writeFileSync(join(path, 'added/file'), '12345');
    fs.rmSync(join(path, 'bin'), { recursive: true });
    fs.mkdirSync(join(path, 'bin'));
    expect(await engine.images.rootFilesystemChanges(id)).toEqual([
      { path: '/added', kind: 1 },
      { path: '/added/file', kind: 1 },
      { path: '/bin', kind: 0 },
      { path: '/bin/tool', kind: 2 },
      { path: '/etc', kind: 0 },
      { path: '/etc/keep', kind: 0 },
    ]);
    expect(await engine.images.rootFilesystemSize(id)).toEqual({ sizeRw: 12, sizeRootFs: 39 });
    await rootfs.unmount();
    await rootfs.unmount();
    await engine.images.removeRootFilesystem(id);
    await engine.images.removeRootFilesystem(id);
    await expect(engine.images.openRootFilesystem(id)).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('a layer written by hand is the same layer whether it is copied or moved', async () => {
    await load(archive);
    const write = async () => {
      const id = containerId();
      const rootfs = await engine.images.createRootFilesystem(id, imageId, { bare: true });
      const path = await rootfs.mount();
      expect(fs.readdirSync(join(path, 'etc'))).toEqual(['keep']);
      fs.mkdirSync(join(path, 'added'));
      fs.writeFileSync(join(path, 'added/file'), '12345');
      fs.linkSync(join(path, 'added/file'), join(path, 'added/again'));
      fs.rmSync(join(path, 'bin'), { recursive: true });
      fs.mkdirSync(join(path, 'bin'));
      return id;
    };
    const commit = {
      parentId: imageId,
      config: {},
      createdBy: 'me',
      author: '',
      comment: '',
      createdAt: new Date(1e12),
    };
    const signal = new AbortController().signal;
    const [copied, moved] = [await write(), await write()];
    const first = await engine.images.commit({ ...commit, containerId: copied }, signal);
    const before = (await engine.call('GET', `/images/${first.image.id}/get`)).bytes;
    await engine.call('DELETE', `/images/${first.image.id}`);
    const second = await engine.images.commit({ ...commit, containerId: moved, consume: true }, signal);
    expect(second.image.id).toBe(first.image.id);
    await engine.images.removeRootFilesystem(copied);
    await engine.images.removeRootFilesystem(moved);
    // The archive is made again from the moved files and checked against its digest.
    expect((await engine.call('GET', `/images/${first.image.id}/get`)).bytes.length).toBe(before.length);
    const seen = await (await engine.images.createRootFilesystem(containerId(), first.image.id)).mount();
    expect(fs.readdirSync(join(seen, 'bin'))).toEqual([]);
    expect(fs.statSync(join(seen, 'added/again')).mtimeMs).toBe(1e12);
  });

  test('a root file system on nothing is committed as a first layer, and an unused image goes away', async () => {
    const id = containerId();
    const path = await (await engine.images.createRootFilesystem(id, undefined, { bare: true })).mount();
    fs.writeFileSync(join(path, 'hello'), 'there');
    const signal = new AbortController().signal;
    const { image } = await engine.images.commit(
      { containerId: id, consume: true, config: {}, createdBy: 'me', author: '', comment: '' },
      signal,
    );
    await engine.images.removeRootFilesystem(id);
    expect(image).toMatchObject({ sizeBytes: 5, repoTags: [] });
    expect(await engine.images.tag(image.id, 'made')).toBe('made:latest');
    expect(await engine.images.removeUnused(image.id)).toBe(false);
    await engine.call('DELETE', '/images/made?noprune=1').catch(() => undefined);
    const left = (await engine.images.resolve(image.id).catch(() => undefined)) !== undefined;
    expect(left ? await engine.images.removeUnused(image.id) : true).toBe(true);
    expect(layerFolders()).toEqual([]);
  });

  test('120 layers mount', async () => {
    const layers = Array.from({ length: 120 }, (_, i) => tarOf([{ name: `f${i}`, data: String(i) }]));
    await load(dockerArchive(layers, ['tall:v1']));
    const { id } = await engine.images.resolve('tall:v1');
    const rootfs = await engine.images.createRootFilesystem(containerId(), id);
    const path = await rootfs.mount();
    expect(fs.readdirSync(path).filter((name) => name.startsWith('f'))).toHaveLength(120);
    await rootfs.unmount();
  });

  test('a daemon that comes after finds images, tags and mounted root file systems, and drops halves', async () => {
    await load(archive);
    const kept = containerId();
    const orphan = containerId();
    const path = await (await engine.images.createRootFilesystem(kept, imageId)).mount();
    fs.writeFileSync(join(path, 'mine'), 'data');
    await (await engine.images.createRootFilesystem(orphan, imageId)).mount();
    await engine.stop();
    // What a killed daemon may leave.
    fs.mkdirSync(join(root, driver, 'e'.repeat(64), 'diff'), { recursive: true });
    fs.mkdirSync(join(root, driver, 'staging/half/diff'), { recursive: true });
    fs.mkdirSync(join(root, 'layers', 'd'.repeat(64)));
    fs.writeFileSync(join(root, 'tmp/load-7'), 'half');
    fs.writeFileSync(join(root, 'images', `${'c'.repeat(64)}.json`), '{"id":');

    fs.writeFileSync(join(root, 'content', `sha256-${'b'.repeat(64)}`), 'orphan');

    engine = await startPlugin(folder, driver);
    root = driver === 'overlay2' ? folder : join(folder, 'drivers', driver);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await list()).map((image) => image.RepoTags)).toEqual([['app:latest', 'app:v1']]);
    const rootfs = await engine.images.openRootFilesystem(kept);
    expect(await rootfs.mount()).toBe(path);
    expect(fs.readFileSync(join(path, 'mine'), 'utf8')).toBe('data');
    await engine.images.collectRootFilesystems(new Set([kept]));
    expect(await mountPointsBelow(folder)).toEqual(driver === 'vfs' ? [] : [path]);
    expect(layerFolders()).toHaveLength(3);
    expect(remains()).toMatchObject({
      staging: [],
      scratch: [],
      images: [`${imageId.slice(7)}.json`],
      blobs: [`sha256-${imageId.slice(7)}`],
    });
  });

  test('layers of a removed image stay while a container stands on them', async () => {
    await load(archive);
    const id = containerId();
    const rootfs = await engine.images.createRootFilesystem(id, imageId);
    engine.images.setUsers({ containersUsing: () => [{ id, running: false }] });
    await expect(engine.call('DELETE', `/images/${imageId}`)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('image is referenced in multiple repositories'),
    });
    await engine.call('DELETE', '/images/app:v1');
    await expect(engine.call('DELETE', '/images/app')).rejects.toMatchObject({
      kind: 'conflict',
      message: `conflict: unable to remove repository reference "app" (must force) - container ${id.slice(0, 12)} is using its referenced image ${imageId.slice(7, 19)}`,
    });
    await engine.call('DELETE', '/images/app?force=1');
    expect(await list()).toEqual([]);
    expect(fs.existsSync(join(await rootfs.mount(), 'hard'))).toBe(true);
    await rootfs.unmount();
    await engine.images.removeRootFilesystem(id);
    expect(remains()).toEqual(nothing);
  });

  test('an image of a running container cannot be removed, by no means', async () => {
    await load(dockerArchive([base], ['app:v1']));
    engine.images.setUsers({ containersUsing: () => [{ id: 'f'.repeat(64), running: true }] });
    const { id } = await engine.images.resolve('app:v1');
    await expect(engine.call('DELETE', `/images/${id}?force=1`)).rejects.toMatchObject({
      kind: 'conflict',
      message: `conflict: unable to delete ${id.slice(7, 19)} (cannot be forced) - image is being used by running container ffffffffffff`,
    });
  });

  test('a moved tag leaves a dangling image, which prune removes with its own layers only', async () => {
    await load(dockerArchive([base, above], ['app:v1']));
    await load(dockerArchive([base, otherLayer], ['app:v1']));
    const dangling = await list(`filters=${encodeURIComponent('{"dangling":["true"]}')}`);
    expect(dangling.map((image) => [image.Id, image.RepoTags])).toEqual([[imageId, []]]);
    const { body } = await engine.call('POST', '/images/prune');
    expect(body).toMatchObject({ ImagesDeleted: [expect.anything(), expect.anything()], SpaceReclaimed: 9 });
    expect(layerFolders()).toHaveLength(2);
  });

  test('an image in use keeps one name when all that is not needed is pruned', async () => {
    await load(dockerArchive([base], ['app:v1', 'app:a', 'app:z', 'other:v1']));
    engine.images.setUsers({ containersUsing: () => [{ id: 'f'.repeat(64), running: true }] });
    const url = `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`;
    const pruned = async () => ((await engine.call('POST', url)).body as { ImagesDeleted: unknown }).ImagesDeleted;
    expect(await pruned()).toEqual(['app:a', 'app:v1', 'app:z'].map((Untagged) => ({ Untagged })));
    expect((await list()).map((image) => image.RepoTags)).toEqual([['other:v1']]);
    expect(await pruned()).toEqual(null);
  });

  test('filters choose images', async () => {
    await load(dockerArchive([base], ['old/app:v1'], [base], configOf([base], { created: '2020-01-01T00:00:00Z' })));
    await load(dockerArchive([above], ['new:v1', 'new:v2']));
    const names = async (filters: object) =>
      (await list(`filters=${encodeURIComponent(JSON.stringify(filters))}`)).flatMap((image) => image.RepoTags);
    expect(await names({ before: ['new:v1'] })).toEqual(['old/app:v1']);
    expect(await names({ since: ['old/app:v1'] })).toEqual(['new:v1', 'new:v2']);
    expect(await names({ reference: ['new:*2'] })).toEqual(['new:v2']);
    expect(await names({ reference: ['*/*'] })).toEqual(['old/app:v1']);
    expect(await names({ label: ['purpose=test'], until: ['2021-01-01'] })).toEqual(['old/app:v1']);
    await expect(names({ colour: ['red'] })).rejects.toMatchObject({ message: "invalid filter 'colour'" });
  });

  test('two loads of the same image at once make one', async () => {
    await Promise.all([load(archive), load(archive), load(dockerArchive([base], ['other:v1']))]);
    expect(layerFolders()).toHaveLength(2);
    await Promise.all(['app:v1', 'app:latest', 'other:v1'].map((name) => engine.call('DELETE', `/images/${name}`)));
    expect(remains()).toEqual(nothing);
  });

  test('a client that leaves during a load leaves nothing', async () => {
    const body = new PassThrough();
    body.write(archive.subarray(0, 2000));
    const gone = new AbortController();
    const loading = engine.call('POST', '/images/load', body, gone.signal);
    setTimeout(() => gone.abort(), 50);
    await expect(loading).rejects.toThrow();
    expect(remains()).toEqual(nothing);
  });

  test('a tar of a root file system is imported with changes', async () => {
    const changes = ['CMD ["tool", "-v"]', 'ENV A=1 B="two words"', 'EXPOSE 80 53/udp', 'LABEL x=y', 'WORKDIR /srv'];
    const query = changes.map((change) => `changes=${encodeURIComponent(change)}`).join('&');
    await engine.call('POST', `/images/create?fromSrc=-&repo=imported&tag=v1&message=hello&${query}`, gzipSync(base));
    const shown = await inspect('imported:v1');
    expect(shown.Config).toMatchObject({
      Cmd: ['tool', '-v'],
      Env: ['A=1', 'B=two words'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { x: 'y' },
      WorkingDir: '/srv',
    });
    expect([shown.Comment, shown.RootFS.Layers]).toEqual(['hello', [digestOf(base)]]);
    await expect(
      engine.call('POST', '/images/create?fromSrc=-&changes=RUN%20x', Buffer.alloc(0)),
    ).rejects.toMatchObject({
      kind: 'invalid-parameter',
      message: 'RUN is not a valid change command',
    });
  });

  test('a directory that an upper layer only implies keeps its owner, mode and times', async () => {
    const lower = tarOf([{ name: 'tmp/', mode: 0o1777, uid: 7, mtime: 1_500_000_000 }]);
    await load(dockerArchive([lower, tarOf([{ name: 'tmp/file', data: 'x' }])], ['app:v1']));
    const { id } = await engine.images.resolve('app:v1');
    const rootfs = await engine.images.createRootFilesystem(containerId(), id);
    const stat = fs.statSync(join(await rootfs.mount(), 'tmp'));
    expect([stat.mode & 0o7777, stat.uid, stat.mtimeMs]).toEqual([0o1777, 7, 1_500_000_000_000]);
    await rootfs.unmount();
  });
});
