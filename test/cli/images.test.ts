import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { busyboxImage, digestOf, dockerArchive, ociLayout } from '../support/images';
import { startRegistry, type TestRegistry } from '../support/registry';

const daemon = daemonForSuite({
  busybox: false,
  tidy: async (each) => {
    await each.removeEverything();
    const images = (await each.api.get('/images/json?all=1')).json<{ Id: string }[]>();
    for (const { Id } of images) await each.api.delete(`/images/${Id}?force=1`);
  },
});
const docker = (...args: string[]) => daemon().cli.ok(...args);

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());

test('load takes a classic archive and the image runs', async () => {
  const image = busyboxImage({ reference: 'classic:1', config: { Cmd: ['echo', 'from the image'] } });
  expect(await load('classic.tar', dockerArchive(image))).toContain('Loaded image: classic:1');
  expect(await docker('run', '--rm', 'classic:1')).toBe('from the image');
  expect(await docker('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')).toContain(
    `classic:1 ${digestOf(image.config)}`,
  );
  await docker('rmi', 'classic:1');
  expect(await docker('images', '-q')).toBe('');
});

test('load takes an OCI layout', async () => {
  const image = busyboxImage({ reference: 'layout:2', config: { Cmd: ['echo', 'from the layout'] } });
  expect(await load('layout.tar', ociLayout(image))).toContain('Loaded image: layout:2');
  expect(await docker('run', '--rm', 'layout:2')).toBe('from the layout');
  await docker('rmi', 'layout:2');
});

test('an upper layer replaces, removes and hides what is below it', async () => {
  const below = [
    { name: 'd/' },
    { name: 'd/gone', data: 'x' },
    { name: 'd/kept', data: 'old' },
    { name: 'hidden/' },
    { name: 'hidden/file', data: 'x' },
    { name: 'd/twin', data: 'same', mode: 0o640, uid: 12, gid: 34, mtime: 1_234_567_890 },
    { name: 'd/other', hardLink: 'd/twin', mode: 0o640, uid: 12, gid: 34, mtime: 1_234_567_890 },
  ];
  const above = [
    { name: 'd/.wh.gone' },
    { name: 'd/kept', data: 'new' },
    { name: 'hidden/' },
    { name: 'hidden/.wh..wh..opq' },
    { name: 'hidden/fresh', data: 'y' },
  ];
  await load('layers.tar', dockerArchive(busyboxImage({ reference: 'layers:1', layers: [below, above] })));
  const script = 'ls /d /hidden; cat /d/kept; echo; stat -c "%a %u %g %Y %h" /d/twin /d/other';
  const said = await docker('run', '--rm', 'layers:1', 'sh', '-c', script);
  expect(said.split('\n')).toEqual([
    '/d:',
    'kept',
    'other',
    'twin',
    '',
    '/hidden:',
    'fresh',
    'new',
    '640 12 34 1234567890 2',
    '640 12 34 1234567890 2',
  ]);
  await docker('rmi', 'layers:1');
});

test('pull from a registry by tag and by digest', async () => {
  const image = busyboxImage({ config: { Cmd: ['echo', 'pulled'] }, layers: [[{ name: 'extra', data: 'more' }]] });
  const digest = await registry.put('team/tool', 'v1', image);
  const name = `${registry.host}/team/tool`;
  const said = await docker('pull', `${name}:v1`);
  expect(said).toContain(`Digest: ${digest}`);
  expect(said).toContain(`Status: Downloaded newer image for ${name}:v1`);
  expect(await docker('pull', `${name}:v1`)).toContain(`Status: Image is up to date for ${name}:v1`);
  expect(await docker('run', '--rm', `${name}:v1`)).toBe('pulled');
  expect(await docker('run', '--rm', '--pull', 'always', `${name}@${digest}`, 'cat', '/extra')).toContain('more');
  const [info] = JSON.parse(await docker('image', 'inspect', `${name}:v1`));
  expect(info).toMatchObject({
    Id: digestOf(image.config),
    RepoTags: [`${name}:v1`],
    RepoDigests: [`${name}@${digest}`],
  });
  await docker('rmi', '-f', info.Id);
});

test('a pull of what the registry does not have names it', async () => {
  const result = await daemon().cli.run(['pull', `${registry.host}/team/nothing:v9`]);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/manifest for .*team\/nothing:v9 not found|manifest unknown|not found/);
  expect(await docker('images', '-q')).toBe('');
});

test('tag, history, save and load again', async () => {
  await load('first.tar', dockerArchive(busyboxImage({ reference: 'first:1' })));
  await docker('tag', 'first:1', 'second:2');
  expect(await docker('history', '--format', '{{.CreatedBy}}', 'second:2')).toBe('test layer 0');
  const file = join(daemon().folder, 'saved.tar');
  await docker('save', '-o', file, 'second:2');
  const id = await docker('images', '-q', 'second:2');
  await docker('rmi', 'first:1', 'second:2');
  expect(await docker('load', '-i', file)).toContain('Loaded image: second:2');
  expect(await docker('images', '-q', 'second:2')).toBe(id);
  expect(await docker('run', '--rm', 'second:2', 'echo', 'again')).toBe('again');
  await docker('rmi', 'second:2');
});

test('an image in use is kept until it is forced out of its names', async () => {
  await load('used.tar', dockerArchive(busyboxImage({ reference: 'used:1' })));
  await docker('create', '--name', 'uses', 'used:1', 'true');
  const refused = await daemon().cli.run(['rmi', 'used:1']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/conflict: unable to (remove repository reference|delete) .*(container|image)/);
  await docker('rm', 'uses');
  await docker('rmi', 'used:1');
});

test('a damaged archive is refused and leaves no image', async () => {
  const archive = dockerArchive(busyboxImage({ reference: 'broken:1' }));
  archive.fill(0x5a, 40_000, 60_000);
  writeFileSync(join(daemon().folder, 'broken.tar'), archive);
  const result = await daemon().cli.run(['load', '-i', join(daemon().folder, 'broken.tar')]);
  expect(result.code).not.toBe(0);
  expect(await docker('images', '-q')).toBe('');
});

async function load(name: string, archive: Buffer): Promise<string> {
  const path = join(daemon().folder, name);
  writeFileSync(path, archive);
  return docker('load', '-i', path);
}
