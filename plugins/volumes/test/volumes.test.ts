import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalidParameter, unavailable, type VolumeDriver } from '@gantry/sdk';
import { referenceVolumeDriver } from '@gantry/sdk/conformance';
import { openManager } from './support';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-volumes-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** The reference driver with real directories, so that data can be copied and counted. */
function directoryDriver(): VolumeDriver {
  const reference = referenceVolumeDriver();
  const pathOf = (name: string) => join(folder, 'data', name);
  return {
    ...reference,
    async create(name) {
      await reference.create(name, {});
      await mkdir(pathOf(name), { recursive: true });
    },
    mount: async (name, id) => (await reference.mount(name, id)) && pathOf(name),
    path: async (name) => pathOf(name),
    get: async (name) => ({ ...(await reference.get(name)), mountpoint: pathOf(name) }),
    list: async () => (await reference.list()).map((volume) => ({ ...volume, mountpoint: pathOf(volume.name) })),
  };
}

const gone = async () => {
  throw unavailable('the plugin is gone');
};
const dead: VolumeDriver = {
  capabilities: gone,
  create: gone,
  remove: gone,
  mount: gone,
  unmount: gone,
  path: gone,
  get: gone,
  list: gone,
};

test('a volume is created, shown, listed and removed over the API', async () => {
  const { call, published } = await openManager(folder, { local: directoryDriver() });
  const created = await call('POST', '/volumes/create', { Name: 'data', Labels: { tier: 'gold' } });
  expect(created).toMatchObject({
    status: 201,
    body: { Name: 'data', Driver: 'local', Scope: 'local', Labels: { tier: 'gold' }, Options: null },
  });
  expect(created.body.CreatedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect((await call('GET', '/volumes/data')).body).toMatchObject({
    Name: 'data',
    Mountpoint: join(folder, 'data/data'),
  });
  expect((await call('GET', '/volumes')).body).toMatchObject({ Volumes: [{ Name: 'data' }], Warnings: null });
  expect(await call('DELETE', '/volumes/data')).toMatchObject({ status: 204 });
  expect(published.map((event) => [event.action, event.actor])).toEqual([
    ['create', { id: 'data', attributes: { driver: 'local' } }],
    ['destroy', { id: 'data', attributes: { driver: 'local' } }],
  ]);
});

test('an anonymous volume has 64 hex digits and a label', async () => {
  const { call } = await openManager(folder, { local: directoryDriver() });
  const { body } = await call('POST', '/volumes/create', {});
  expect(body).toMatchObject({
    Name: expect.stringMatching(/^[0-9a-f]{64}$/),
    Labels: { 'com.docker.volume.anonymous': '' },
  });
});

test('creating a volume again gives the existing one; with another driver it is a conflict', async () => {
  const { store } = await openManager(folder, { local: directoryDriver(), other: referenceVolumeDriver() });
  const request = { name: 'data', driver: '', options: {}, labels: { a: '1' } };
  await store.create(request);
  expect((await store.create({ ...request, labels: { a: '2' } })).labels).toEqual({ a: '1' });
  await expect(store.create({ ...request, driver: 'other' })).rejects.toMatchObject({
    kind: 'conflict',
    message: "create data: driver 'local' already has volume 'data': volume name must be unique",
  });
});

test('unknown volumes and drivers are told in the words clients know', async () => {
  const { store } = await openManager(folder, { local: directoryDriver() });
  await expect(store.get('nope')).rejects.toMatchObject({ kind: 'not-found', message: 'get nope: no such volume' });
  await expect(store.remove('nope', { force: false })).rejects.toMatchObject({
    kind: 'not-found',
    message: 'get nope: no such volume',
  });
  await store.remove('nope', { force: true });
  await expect(store.create({ name: 'x', driver: 'acme', options: {}, labels: {} })).rejects.toMatchObject({
    kind: 'not-found',
    message: 'create x: error looking up volume plugin acme: plugin "acme" not found',
  });
});

test('an option the driver refuses leaves no record', async () => {
  const driver = { ...directoryDriver(), create: async () => Promise.reject(invalidParameter('invalid option: "x"')) };
  const { store } = await openManager(folder, { local: driver });
  await expect(store.create({ name: 'data', driver: '', options: { x: '1' }, labels: {} })).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message: 'create data: invalid option: "x"',
  });
  expect(await readdir(join(folder, 'state/.records'))).toEqual([]);
});

test('a referenced volume is in use, by force as well', async () => {
  const { store } = await openManager(folder, { local: directoryDriver() });
  await store.create({ name: 'data', driver: '', options: {}, labels: {} });
  store.reference('data', 'c1');
  for (const force of [false, true])
    await expect(store.remove('data', { force })).rejects.toMatchObject({
      kind: 'conflict',
      message: 'remove data: volume is in use - [c1]',
    });
  store.dereference('data', 'c1');
  await store.remove('data', { force: false });
});

test('records survive a restart, and a volume only a driver knows is found by asking', async () => {
  const local = directoryDriver();
  const other = referenceVolumeDriver();
  const before = await openManager(folder, { local, other });
  await before.store.create({ name: 'data', driver: '', options: {}, labels: { a: '1' } });
  await other.create('theirs', {});
  const { store } = await openManager(folder, { local, other, silent: dead });
  expect(await store.get('data')).toMatchObject({ driver: 'local', labels: { a: '1' } });
  expect(await store.get('theirs')).toMatchObject({ driver: 'other' });
});

test('a dead driver gives a warning in the list, and by force its records go', async () => {
  const acme = referenceVolumeDriver();
  const before = await openManager(folder, { local: directoryDriver(), acme });
  await before.store.create({ name: 'far', driver: 'acme', options: {}, labels: {} });
  await before.store.create({ name: 'near', driver: '', options: {}, labels: {} });
  const { store, call } = await openManager(folder, { local: directoryDriver(), acme: dead });
  expect((await call('GET', '/volumes')).body).toMatchObject({
    Volumes: [{ Name: 'far', Driver: 'acme' }],
    Warnings: ['list acme: the plugin is gone'],
  });
  await expect(store.remove('far', { force: false })).rejects.toMatchObject({ kind: 'unavailable' });
  await store.remove('far', { force: true });
  expect((await call('GET', '/volumes')).body.Volumes).toEqual([]);
});

test('filters select by label, name, driver and use; unknown and malformed ones are refused', async () => {
  const { store, call } = await openManager(folder, { local: directoryDriver(), other: referenceVolumeDriver() });
  await store.create({ name: 'red-one', driver: '', options: {}, labels: { colour: 'red' } });
  await store.create({ name: 'blue', driver: 'other', options: {}, labels: { colour: 'blue' } });
  store.reference('blue', 'c1');
  const names = async (filters: unknown) =>
    (await call('GET', `/volumes?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body.Volumes.map(
      (volume: { Name: string }) => volume.Name,
    );
  expect(await names({ label: ['colour'] })).toEqual(['blue', 'red-one']);
  expect(await names({ label: ['colour=red'] })).toEqual(['red-one']);
  expect(await names({ name: ['lu'] })).toEqual(['blue']);
  expect(await names({ driver: { other: true } })).toEqual(['blue']);
  expect(await names({ dangling: ['true'] })).toEqual(['red-one']);
  expect(await names({ dangling: ['0'] })).toEqual(['blue']);
  await expect(names({ colour: ['red'] })).rejects.toThrow("invalid filter 'colour'");
  await expect(names({ dangling: ['maybe'] })).rejects.toThrow("invalid filter 'dangling=[maybe]'");
  await expect(call('GET', '/volumes?filters=junk')).rejects.toMatchObject({ kind: 'invalid-parameter' });
});

test('prune takes anonymous volumes, named ones only when asked or for old clients', async () => {
  const { store, call, published } = await openManager(folder, { local: directoryDriver() });
  await store.create({ name: 'named', driver: '', options: {}, labels: {} });
  await store.create({ name: 'used', driver: '', options: {}, labels: {} });
  store.reference('used', 'c1');
  const anonymous = await store.create({ name: '', driver: '', options: {}, labels: {} });
  await writeFile(join(anonymous.mountpoint, 'file'), 'x'.repeat(1000));
  const first = (await call('POST', '/volumes/prune')).body;
  expect(first).toEqual({ VolumesDeleted: [anonymous.name], SpaceReclaimed: 1000 });
  expect(published.at(-1)).toMatchObject({ action: 'prune', actor: { attributes: { reclaimed: '1000' } } });
  expect((await call('POST', '/volumes/prune', undefined, '1.41')).body.VolumesDeleted).toEqual(['named']);
});

test('image content is copied into an empty volume with everything it has, and never a second time', async () => {
  const { store } = await openManager(folder, { local: directoryDriver() });
  await store.create({ name: 'data', driver: '', options: {}, labels: {} });
  const source = join(folder, 'image');
  await mkdir(join(source, 'sub'), { recursive: true });
  await writeFile(join(source, 'sub/file'), 'content');
  await symlink('/etc/passwd', join(source, 'link'));
  execFileSync('sh', [
    '-c',
    `cd ${source} && chown 33:44 . && chmod 2750 . && ln sub/file hard && touch -d @1000 sub/file && setfattr -n user.test -v yes sub/file 2>/dev/null || true`,
  ]);
  await store.populate('data', source);
  const target = join(folder, 'data/data');
  const root = await stat(target);
  expect([root.uid, root.gid, root.mode & 0o7777]).toEqual([33, 44, 0o2750]);
  expect(await readlink(join(target, 'link'))).toBe('/etc/passwd');
  expect((await lstat(join(target, 'sub/file'))).mtimeMs).toBe(1_000_000);
  expect((await stat(join(target, 'hard'))).ino).toBe((await stat(join(target, 'sub/file'))).ino);
  await writeFile(join(source, 'later'), '');
  await store.populate('data', source);
  expect(await readdir(target)).not.toContain('later');
  expect(await readdir(join(folder, 'run/mounts'))).toEqual([]);
});

test.each([
  ['1.51', { all: ['x'] }, `invalid filter 'all': strconv.ParseBool: parsing "x": invalid syntax`],
  ['1.51', { all: ['0', '1'] }, "invalid filter 'all=[0 1]': only one value is expected"],
  ['1.41', { all: ['false'] }, "invalid filter 'all=[false true]': only one value is expected"],
])('a prune at %s with %j is refused as dockerd refuses it', async (version, filters, message) => {
  const { call } = await openManager(folder, { local: directoryDriver() });
  const url = `/volumes/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  await expect(call('POST', url, undefined, version)).rejects.toMatchObject({ kind: 'invalid-parameter', message });
});

test('a create without a body makes an anonymous volume', async () => {
  const { call } = await openManager(folder, { local: directoryDriver() });
  const { status, body } = await call('POST', '/volumes/create');
  expect([status, body.Labels]).toEqual([201, { 'com.docker.volume.anonymous': '' }]);
});

test('image content goes into a part of a volume too, and nowhere when the part is not there or leads out', async () => {
  const { store } = await openManager(folder, { local: directoryDriver() });
  await store.create({ name: 'data', driver: '', options: {}, labels: {} });
  const source = join(folder, 'image');
  const target = join(folder, 'data/data');
  await mkdir(source, { mode: 0o711 });
  await writeFile(join(source, 'file'), 'content');
  await mkdir(join(target, 'part'));
  await writeFile(join(target, 'beside'), '');
  await symlink(folder, join(target, 'out'));
  for (const subpath of ['missing', 'beside', 'out', 'out/image', 'part'])
    await store.populate('data', source, { subpath });
  expect((await readdir(target)).sort()).toEqual(['beside', 'out', 'part']);
  expect(await readdir(join(target, 'part'))).toEqual(['file']);
  expect((await stat(join(target, 'part'))).mode & 0o777).toBe(0o711);
  expect(await readdir(folder)).not.toContain('file');
  await writeFile(join(source, 'later'), '');
  await store.populate('data', source, { subpath: 'part' });
  expect(await readdir(join(target, 'part'))).toEqual(['file']);
});

test('a copy that a crash cut short is completed', async () => {
  const local = directoryDriver();
  const { store } = await openManager(folder, { local });
  await store.create({ name: 'data', driver: '', options: {}, labels: {} });
  const source = join(folder, 'image');
  await mkdir(source);
  for (const file of ['a', 'b']) await writeFile(join(source, file), file);
  await writeFile(join(folder, 'data/data/a'), '');
  const record = join(folder, 'state/.records/data.json');
  await writeFile(record, JSON.stringify({ ...JSON.parse(await readFile(record, 'utf8')), populating: true }));
  const again = await openManager(folder, { local });
  await again.store.populate('data', source);
  expect(await readFile(join(folder, 'data/data/a'), 'utf8')).toBe('a');
  expect(await readFile(join(folder, 'data/data/b'), 'utf8')).toBe('b');
});

test('mounts that no container claims after a restart are given back', async () => {
  const local = directoryDriver();
  const before = await openManager(folder, { local });
  await before.store.create({ name: 'data', driver: '', options: {}, labels: {} });
  await before.store.mount('data', 'claimed');
  await before.store.mount('data', 'orphan');
  const { store } = await openManager(folder, { local });
  store.adoptMount('data', 'claimed');
  await store.collectUnclaimedMounts();
  expect((await local.get('data')).status).toEqual({ mounts: 1 });
  await store.unmount('data', 'claimed');
  expect((await local.get('data')).status).toEqual({ mounts: 0 });
});

test('cluster volumes are refused as on a node outside a swarm', async () => {
  const { call } = await openManager(folder, { local: directoryDriver() });
  await expect(call('PUT', '/volumes/data?version=1', {})).rejects.toMatchObject({
    kind: 'unavailable',
    message: 'volume update only valid for cluster volumes, but swarm is unavailable',
  });
  await expect(call('POST', '/volumes/create', { Name: 'x', ClusterVolumeSpec: {} })).rejects.toMatchObject({
    kind: 'unavailable',
  });
});

test('a removal that was cut short after the driver’s part is completed at the next start', async () => {
  const local = directoryDriver();
  const { call } = await openManager(folder, { local });
  for (const Name of ['cut', 'kept']) await call('POST', '/volumes/create', { Name, Labels: { tier: 'gold' } });
  await local.remove('cut');
  const after = await openManager(folder, { local });
  expect(await readdir(join(folder, 'state/.records'))).toEqual(['kept.json']);
  expect((await after.call('GET', '/volumes')).body.Volumes).toEqual([
    expect.objectContaining({ Name: 'kept', Labels: { tier: 'gold' } }),
  ]);
});

test('a mount that a killed daemon left behind does not keep its volume from being removed', async () => {
  const local = directoryDriver();
  const before = await openManager(folder, { local });
  await before.call('POST', '/volumes/create', { Name: 'data' });
  await before.store.mount('data', '1'.repeat(64));
  const { call } = await openManager(folder, { local });
  expect(await call('DELETE', '/volumes/data')).toMatchObject({ status: 204 });
  expect(await readdir(join(folder, 'run/mounts'))).toEqual([]);
});
