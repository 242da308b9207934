import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite({
  tidy: async (each) => {
    await each.removeEverything();
  },
});
const docker = (...args: string[]) => daemon().cli.ok(...args);

interface Image {
  Id: string;
  Config: Record<string, unknown>;
  RootFS: { Layers: string[] };
}

interface HistoryRow {
  Id: string;
  CreatedBy: string;
  Comment: string;
  Size: number;
}

test('an image made of a running container has its files, deletions, links and names', async () => {
  const script = [
    'mkdir /kept /kept/deep; echo new >/kept/deep/file; ln /kept/deep/file /kept/twin; ln -s deep/file /kept/link',
    'chown 7:8 /kept/deep/file; chmod 4750 /kept/deep/file; mknod /kept/null c 1 3; rm /bin/wget; touch /ready',
    'exec sleep 600',
  ].join('\n');
  const id = await docker(
    'run',
    '-d',
    '--name',
    'source',
    '-e',
    'BASE=1',
    '-l',
    'own=yes',
    'busybox',
    'sh',
    '-c',
    script,
  );
  await daemon().cli.ok('exec', 'source', 'sh', '-c', 'until [ -e /ready ]; do sleep 0.05; done');
  const imageId = await docker(
    ...['commit', '-a', 'An Author', '-m', 'what changed'],
    ...['-c', 'ENV ADDED=$BASE-and-more', '-c', 'CMD ["cat", "/kept/link"]', '-c', 'EXPOSE 80/tcp', 'source', 'made:1'],
  );
  expect(imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await docker('inspect', '-f', '{{.State.Status}}', 'source')).toBe('running');
  expect(await docker('run', '--rm', 'made:1')).toBe('new');
  const look = 'stat -c "%a %u %g %h %F" /kept/twin /kept/null; ls /bin/wget 2>&1; echo $ADDED';
  expect((await docker('run', '--rm', 'made:1', 'sh', '-c', look)).split('\n')).toEqual([
    '4750 7 8 2 regular file',
    '644 0 0 1 character special file',
    'ls: /bin/wget: No such file or directory',
    '1-and-more',
  ]);

  const image = (await daemon().api.get('/images/made:1/json')).json<Image>();
  const base = (await daemon().api.get('/images/busybox/json')).json<Image>();
  expect(image).toMatchObject({ Id: imageId, Parent: base.Id, Author: 'An Author', Comment: 'what changed' });
  expect(image.Config).toMatchObject({ Labels: { own: 'yes' }, ExposedPorts: { '80/tcp': {} } });
  expect(image.RootFS.Layers.slice(0, -1)).toEqual(base.RootFS.Layers);
  const [top, below] = (await daemon().api.get('/images/made:1/history')).json<HistoryRow[]>();
  expect(top).toMatchObject({ Id: imageId, Comment: 'what changed', Size: 13 });
  expect(top!.CreatedBy).toContain('sh -c mkdir /kept');
  expect(below!.Id).toBe(base.Id);

  const filters = JSON.stringify({ container: [id], event: ['pause', 'unpause', 'commit'] });
  const until = Math.ceil(Date.now() / 1000);
  const events = await daemon().api.get(`/events?since=1&until=${until}&filters=${encodeURIComponent(filters)}`);
  const seen = events.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(seen.map(({ Action }) => Action)).toEqual(['pause', 'commit', 'unpause']);
  expect(seen[1].Actor.Attributes).toMatchObject({ comment: 'what changed', imageID: imageId, imageRef: 'made:1' });
  await docker('rm', '-f', 'source');
  await docker('rmi', 'made:1');
});

test('a stopped container is committed; one that wrote nothing adds no layer', async () => {
  await docker('run', '--name', 'ended', 'busybox', 'sh', '-c', 'echo x >/written');
  await docker('commit', 'ended', 'from-ended');
  expect(await docker('run', '--rm', 'from-ended', 'cat', '/written')).toBe('x');
  const plain = (await daemon().api.get('/images/from-ended/json')).json<Image>();
  expect(plain.Config).toMatchObject({ Labels: null });
  await docker('create', '--name', 'idle', 'busybox', 'true');
  const made = await daemon().api.post('/commit?container=idle&repo=empty&tag=2&changes=LABEL+a%3Db', {
    Cmd: ['echo', 'from the body'],
  });
  expect(made.status).toBe(201);
  const [image, base] = await Promise.all(
    ['empty:2', 'busybox'].map(async (name) => (await daemon().api.get(`/images/${name}/json`)).json<Image>()),
  );
  expect(image!.RootFS.Layers).toEqual(base!.RootFS.Layers);
  expect(image!.Config).toMatchObject({ Cmd: ['echo', 'from the body'], Labels: { a: 'b' } });
  expect(await docker('run', '--rm', 'empty:2')).toBe('from the body');
  await docker('rm', 'ended', 'idle');
  await docker('rmi', 'from-ended', 'empty:2');
});

test.each([
  ['a container that is not there', 'container=nobody', 404, 'No such container: nobody'],
  ['a change that is no such instruction', 'container=plain&changes=RUN+x', 400, 'RUN is not a valid change command'],
  ['a bad name', 'container=plain&repo=Upper', 400, 'repository name (library/Upper) must be lowercase'],
  ['a digest as name', `container=plain&repo=a@sha256:${'0'.repeat(64)}`, 400, 'digest reference'],
])('commit refuses %s and makes nothing', async (_, query, status, message) => {
  await docker('create', '--name', 'plain', 'busybox', 'true');
  const before = await docker('images', '-aq');
  const answer = await daemon().api.post(`/commit?${query}`);
  expect(answer.status).toBe(status);
  expect(answer.json<{ message: string }>().message).toContain(message);
  expect(await docker('images', '-aq')).toBe(before);
  await docker('rm', 'plain');
});

test('a list shows the image id once the name means another image; descendants have an ancestor in common', async () => {
  await docker('tag', 'busybox', 'moving');
  await docker('create', '--name', 'old', 'moving', 'sh', '-c', 'echo a b');
  const base = (await daemon().api.get('/images/busybox/json')).json<Image>();
  const row = async () =>
    docker('ps', '-a', '--no-trunc', '--format', '{{.Image}} {{.Command}}', '--filter', 'name=old');
  expect(await row()).toBe(`moving "sh -c 'echo a b'"`);
  await docker('commit', 'old', 'moving');
  expect(await row()).toBe(`${base.Id} "sh -c 'echo a b'"`);
  await docker('create', '--name', 'young', 'moving', 'true');
  const ancestor = (name: string) => docker('ps', '-a', '--format', '{{.Names}}', '--filter', `ancestor=${name}`);
  expect(await ancestor('busybox')).toBe('young\nold');
  expect(await ancestor('moving')).toBe('young');
  expect(await ancestor('never-heard-of')).toBe('');
  await docker('rm', 'old', 'young');
  await docker('rmi', 'moving');
});
