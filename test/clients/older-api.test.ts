import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite();
const get = async (path: string) => (await daemon().api.get(path)).json();
const container = { Image: 'busybox', Cmd: ['sleep', '600'] };

test('images and disk usage show VirtualSize to clients before 1.44 only', async () => {
  for (const version of ['v1.24', 'v1.41', 'v1.43']) {
    expect((await get(`/${version}/images/json`))[0].VirtualSize).toBeGreaterThan(0);
    expect((await get(`/${version}/images/busybox/json`)).VirtualSize).toBeGreaterThan(0);
    expect((await get(`/${version}/system/df`)).Images[0].VirtualSize).toBeGreaterThan(0);
  }
  for (const version of ['v1.44', 'v1.51']) {
    expect((await get(`/${version}/images/json`))[0]).not.toHaveProperty('VirtualSize');
    expect((await get(`/${version}/system/df`)).Images[0]).not.toHaveProperty('VirtualSize');
  }
});

test("an image's config always has the fields that clients read without asking", async () => {
  expect((await get('/v1.51/images/busybox/json')).Config).toEqual({
    Cmd: ['sh'],
    Entrypoint: null,
    Env: ['PATH=/bin'],
    Labels: null,
    OnBuild: null,
    User: '',
    Volumes: null,
    WorkingDir: '',
  });
  const older = (await get('/v1.49/images/busybox/json')).Config;
  expect(older).toMatchObject({ Hostname: '', Tty: false, Image: '', Cmd: ['sh'], Labels: null });
});

test('images are listed to clients that ask for manifests', async () => {
  const images = await get('/v1.47/images/json?manifests=1');
  expect(images.map(({ RepoTags }: { RepoTags: string[] }) => RepoTags)).toEqual([['busybox:latest']]);
  expect(await get('/v1.48/images/busybox/json?manifests=1')).toMatchObject({ RepoTags: ['busybox:latest'] });
});

test('the singular filter of the image list ends with 1.40', async () => {
  expect(await get('/v1.40/images/json?filter=nope')).toEqual([]);
  expect(await get('/v1.41/images/json?filter=nope')).toHaveLength(1);
});

test('info drops what newer versions no longer tell', async () => {
  expect(await get('/v1.48/info')).toMatchObject({
    BridgeNfIptables: false,
    RuncCommit: { Expected: expect.any(String) },
  });
  expect((await get('/v1.46/info')).RegistryConfig).toMatchObject({ AllowNondistributableArtifactsCIDRs: null });
  expect(await get('/v1.49/info')).toMatchObject({ BridgeNfIptables: false, RuncCommit: { ID: expect.any(String) } });
  const now = await get('/v1.51/info');
  expect(now).not.toHaveProperty('BridgeNfIptables');
  expect(now.RuncCommit).not.toHaveProperty('Expected');
});

test('the IPC namespace of a container made by a client before 1.40 can be joined', async () => {
  const { api } = daemon();
  const ipcMode = async (version: string, HostConfig = {}) => {
    const name = `ipc-${version}`;
    await api.post(`/${version}/containers/create?name=${name}`, { ...container, HostConfig });
    const shown = (await get(`/containers/${name}/json`)).HostConfig.IpcMode;
    await api.delete(`/containers/${name}`);
    return shown;
  };
  expect(await ipcMode('v1.39')).toBe('shareable');
  expect(await ipcMode('v1.39', { IpcMode: 'private' })).toBe('private');
  expect(await ipcMode('v1.40')).toBe('private');
});

test('clients before 1.30 cannot say what to wait for', async () => {
  const { api } = daemon();
  const { Id } = (await api.post('/containers/create', { Image: 'busybox', Cmd: ['true'] })).json();
  expect((await api.post(`/v1.29/containers/${Id}/wait?condition=bogus`)).json()).toEqual({ StatusCode: 0 });
  expect((await api.post(`/v1.30/containers/${Id}/wait?condition=bogus`)).status).toBe(400);
  await api.delete(`/containers/${Id}`);
});

test('docker system prune runs through although nothing is built here', async () => {
  expect((await daemon().api.post('/v1.51/build/prune')).json()).toEqual({ CachesDeleted: null, SpaceReclaimed: 0 });
  expect(await daemon().cli.ok('system', 'prune', '--force')).toContain('Total reclaimed space: 0B');
});
