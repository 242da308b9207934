import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { describeTree } from '../support/file-tree';
import { digestOf, dockerArchive, type TestImage } from '../support/images';
import { intricateImage } from '../support/intricate-image';
import { startRegistry, type TestRegistry } from '../support/registry';

const daemon = daemonForSuite({ busybox: false, tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const at = (name: string) => join(daemon().folder, name);
const skopeo = (...args: string[]) =>
  execFileSync('skopeo', ['--insecure-policy', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: daemon().folder, TMPDIR: daemon().folder },
  });

let registry: TestRegistry;
let image: TestImage;
let id: string;
let diffIds: readonly string[];
beforeAll(async () => {
  registry = await startRegistry();
  image = intricateImage('team/intricate:v1', at('layers'));
  id = digestOf(image.config);
  diffIds = image.layers.map(digestOf);
});
beforeEach(async () => {
  writeFileSync(at('made.tar'), dockerArchive(image));
  await docker('load', '-i', at('made.tar'));
});
afterEach(async () => {
  for (const found of new Set((await docker('images', '-aq')).split('\n').filter(Boolean)))
    await docker('rmi', '-f', found);
});
afterAll(() => registry.stop());

/** Id and layers of an image that was loaded or pulled, with nothing of it here before. */
async function imageAfter(load: () => Promise<unknown>): Promise<{ id: string; layers: string[] }> {
  for (const old of new Set((await docker('images', '-aq')).split('\n'))) await docker('rmi', '-f', old);
  expect(await docker('images', '-aq')).toBe('');
  await load();
  const found = await docker('images', '-aq', '--no-trunc');
  return { id: found, layers: JSON.parse(await docker('inspect', '--format', '{{json .RootFS.Layers}}', found)) };
}

/** What skopeo says an image is. It writes a configuration of its own when it goes from one form to the other. */
function imageBySkopeo(source: string): { id: string; layers: string[] } {
  const config = skopeo('inspect', '--tls-verify=false', '--config', '--raw', source);
  return { id: digestOf(config), layers: (JSON.parse(config) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids };
}

test('unpacked files have the owners, modes, times, links, devices and attributes they were packed with', async () => {
  await docker('create', '--name', 'look', image.reference, 'true');
  await docker('start', 'look');
  const lower = (await docker('inspect', '--format', '{{.GraphDriver.Data.LowerDir}}', 'look')).split(':');
  const own = lower.find((path) => describeTree(path).some((line) => line.startsWith('work/file ')))!;
  expect(describeTree(own)).toEqual(describeTree(at('layers/below')));
  await docker('rm', '-f', 'look');
});

test('what we save skopeo reads, in both forms, and what it writes we load as the same image', async () => {
  await docker('save', '-o', at('saved.tar'), image.reference);
  mkdirSync(at('layout'));
  execFileSync('tar', ['-xf', at('saved.tar'), '-C', at('layout')]);
  const forms = [`docker-archive:${at('saved.tar')}`, `oci:${at('layout')}:v1`];
  for (const source of forms) expect(imageBySkopeo(source)).toEqual({ id, layers: diffIds });
  const [first, second] = forms as [string, string];
  skopeo('copy', first, `oci-archive:${at('theirs-oci.tar')}:team/intricate:v1`);
  skopeo('copy', second, `docker-archive:${at('theirs-docker.tar')}:team/intricate:v1`);
  for (const name of ['oci', 'docker']) {
    const archive = at(`theirs-${name}.tar`);
    const theirs = imageBySkopeo(`${name}-archive:${archive}`);
    expect(theirs.layers).toEqual(diffIds);
    expect(await imageAfter(() => docker('load', '-i', archive))).toEqual(theirs);
  }
});

test('what we push skopeo finds under the digest we told, and what it pushes we pull as the same image', async () => {
  const ours = `${registry.host}/ours:v1`;
  await docker('tag', image.reference, ours);
  const pushed = /digest: (sha256:\w+) size/.exec(await docker('push', ours))?.[1];
  const seen = JSON.parse(skopeo('inspect', '--tls-verify=false', `docker://${ours}`)) as { Digest: string };
  expect(seen.Digest).toBe(pushed);
  expect(imageBySkopeo(`docker://${ours}`)).toEqual({ id, layers: diffIds });
  const forms: Record<string, readonly string[]> = {
    oci: ['--format=oci'],
    docker: ['--format=v2s2'],
    zstd: ['--format=oci', '--dest-compress-format=zstd'],
  };
  for (const [tag, how] of Object.entries(forms)) {
    skopeo(
      'copy',
      '--dest-tls-verify=false',
      ...how,
      `docker-archive:${at('made.tar')}`,
      `docker://${registry.host}/theirs:${tag}`,
    );
    const theirs = imageBySkopeo(`docker://${registry.host}/theirs:${tag}`);
    expect(theirs.layers).toEqual(diffIds);
    expect(await imageAfter(() => docker('pull', `${registry.host}/theirs:${tag}`))).toEqual(theirs);
    // As it came, it goes on: the same manifest under another name.
    await docker('tag', `${registry.host}/theirs:${tag}`, `${registry.host}/again:${tag}`);
    await docker('push', `${registry.host}/again:${tag}`);
    const raw = (name: string) => skopeo('inspect', '--tls-verify=false', '--raw', `docker://${registry.host}/${name}`);
    expect(raw(`again:${tag}`)).toBe(raw(`theirs:${tag}`));
  }
});
