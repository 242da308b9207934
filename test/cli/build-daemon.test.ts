import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { addedFiles, build, contextTar } from '../support/build';
import { bzip2Sync, xzSync, zstdSync } from '../support/compress';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { makeTar } from '../support/tar';

const daemon = daemonForSuite({
  config: {
    experimental: true,
    builder: {
      gc: { policy: [{ keepStorage: '200kB' }] },
      entitlements: { 'security-insecure': true, 'network-host': false },
    },
  },
  tidy: (each) => each.removeEverything(),
});
const api = () => daemon().api;
const containers = async () => (await api().get('/containers/json?all=1')).json<{ Id: string; State: string }[]>();
const images = async () => (await api().get('/images/json?all=1')).json<{ Id: string; RepoTags: string[] }[]>();

interface DiskUsage {
  readonly BuildCache: {
    ID: string;
    Type: string;
    Shared: boolean;
    Size: number;
    InUse: boolean;
    UsageCount: number;
  }[];
}
const cached = async () => (await api().get('/system/df?type=build-cache')).json<DiskUsage>().BuildCache;
const prune = async (query: Record<string, string>) =>
  (await api().post(`/build/prune?${new URLSearchParams(query)}`)).json<{
    CachesDeleted: string[] | null;
    SpaceReclaimed: number;
  }>();

test('the real client builds, with and without its deprecation switch, and runs what it built', async () => {
  const folder = join(daemon().folder, 'context');
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(
    join(folder, 'Dockerfile.other'),
    'FROM busybox\nCOPY . /c\nCMD ["sh", "-c", "find /c -type f | sort"]\n',
  );
  writeFileSync(join(folder, '.dockerignore'), '**/*.log\n');
  writeFileSync(join(folder, 'src/a'), 'a');
  writeFileSync(join(folder, 'src/b.log'), 'b');
  const args = ['build', '-t', 'cli:1', '-t', 'cli:2', '-f', join(folder, 'Dockerfile.other'), folder];
  const built = await daemon().cli.ok(...args);
  expect(built).toMatch(/Successfully built [0-9a-f]{12}\nSuccessfully tagged cli:1\nSuccessfully tagged cli:2/);
  expect(await daemon().cli.ok('run', '--rm', 'cli:2')).toBe('/c/.dockerignore\n/c/Dockerfile.other\n/c/src/a');
  expect(await daemon().cli.ok('build', '-q', '-f', join(folder, 'Dockerfile.other'), folder)).toMatch(
    /^sha256:[0-9a-f]{64}$/,
  );
  // From elsewhere: the client puts it into the context itself.
  writeFileSync(join(daemon().folder, 'outside'), 'FROM busybox\nCOPY src/a /from-outside\n');
  const outside = await daemon().cli.ok('build', '-q', '-f', join(daemon().folder, 'outside'), folder);
  expect(await addedFiles(api(), outside.trim(), 1)).toEqual({ '/from-outside': expect.stringMatching(/a$/) });
  expect((await api().get('/_ping')).headers['builder-version']).toBe('2');
});

test('only what changed is built again, whatever the times of the files', async () => {
  const dockerfile = 'FROM busybox\nCOPY a /a\nRUN cat /a > /b\nCOPY c /c\n';
  const make = (c: string, mtime: number) =>
    build(api(), contextTar(dockerfile, { a: { data: 'A', mtime }, c: { data: c, mtime } }));
  const first = await make('1', 1_500_000_000);
  const again = await make('1', 1_600_000_000);
  expect(again.imageId).toBe(first.imageId);
  expect(again.output.match(/Using cache/g)).toHaveLength(3);
  const changed = await make('2', 1_600_000_000);
  expect(changed.output.match(/Using cache/g)).toHaveLength(2);
  expect(changed.imageId).not.toBe(first.imageId);
  const fresh = await build(api(), contextTar(dockerfile, { a: 'A', c: '1' }), { nocache: '1' });
  expect(fresh.output).not.toContain('Using cache');
});

test('the same input gives the same image when SOURCE_DATE_EPOCH is given', async () => {
  const context = (mtime: number) =>
    contextTar('FROM busybox\nARG SOURCE_DATE_EPOCH\nWORKDIR /w\nRUN date > /dev/null; echo x > y\nCOPY f .\n', {
      f: { data: 'f', mtime },
    });
  const query = { buildargs: { SOURCE_DATE_EPOCH: '1500000000' }, nocache: '1' };
  const first = await build(api(), context(1_400_000_000), query);
  const second = await build(api(), context(1_400_000_000), query);
  expect(first.error).toBeUndefined();
  expect(second.imageId).toBe(first.imageId);
  expect((await api().get(`/images/${first.imageId}/json`)).json<{ Created: string }>().Created).toMatch(
    /^2017-07-14T02:40:00/,
  );
});

test.each([
  ['gzip', gzipSync],
  ['bzip2', bzip2Sync],
  ['xz', xzSync],
  ['zstd', zstdSync],
])('a context in %s', async (name, compress) => {
  const made = await build(api(), compress(contextTar(`FROM scratch\nCOPY f /${name}`, { f: 'in' })));
  expect(await addedFiles(api(), made.imageId!, 0)).toEqual({ [`/${name}`]: '0644 0:0 in' });
});

test.each([
  ['text', Buffer.from('this is no archive, '.repeat(60)), 500, 'Error processing tar file'],
  [
    'an archive that ends early',
    contextTar('FROM busybox', { f: 'x'.repeat(4000) }).subarray(0, 2600),
    500,
    'unexpected EOF',
  ],
  ['broken gzip', gzipSync(contextTar('FROM busybox')).subarray(0, 60), 500, 'Error processing tar file'],
  ['no Dockerfile', makeTar([{ name: 'x', data: 'y' }]), 500, 'Cannot locate specified Dockerfile: Dockerfile'],
])('%s as context is refused and leaves nothing', async (_name, body, status, message) => {
  const before = await images();
  expect(await build(api(), body)).toMatchObject({ status, error: expect.stringContaining(message) });
  expect(await images()).toEqual(before);
  expect(readdirSync(join(daemon().dataRoot, 'builder/tmp'))).toEqual([]);
});

test.each([
  [{ dockerfile: '../Dockerfile' }, 'forbidden path outside the build context'],
  [{ dockerfile: 'nope' }, 'Cannot locate specified Dockerfile: nope'],
  [{ t: 'UPPER' }, 'must be lowercase'],
  [{ buildargs: '{' }, 'error reading build args'],
  [{ labels: '[1]' }, 'error reading labels'],
  [{ version: '7' }, 'invalid version 7'],
  [{ remote: 'nonsense' }, 'could not be recognized as URL'],
  [{ outputs: '[{"Type":"local"}]' }, 'outputs are a feature of BuildKit'],
  [{ memory: 'much' }, 'not an integer'],
])('%j is refused', async (query, message) => {
  const answer = await build(api(), contextTar('FROM busybox'), query);
  expect(answer.error).toContain(message);
  expect(answer.status).toBeGreaterThanOrEqual(400);
});

test('a URL is a Dockerfile when it is text, else a context, with its ignore file', async () => {
  const tar = contextTar('FROM scratch\nCOPY . /c\n', { '.dockerignore': 'hidden\n', hidden: 'h', seen: 's' });
  const server = http.createServer(({ url }, response) => {
    if (url === '/Dockerfile')
      response
        .writeHead(200, { 'Content-Type': 'text/plain' })
        .end(
          'FROM busybox\nADD --checksum=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad http://HOST/file /got/\nADD http://HOST/sub/ /named\n'.replaceAll(
            'HOST',
            `127.0.0.1:${port}`,
          ),
        );
    else if (url === '/file') response.writeHead(200, { 'Last-Modified': 'Tue, 14 Jul 2015 02:40:00 GMT' }).end('abc');
    else if (url === '/sub/') response.writeHead(200).end('sub');
    else if (url === '/moved') response.writeHead(302, { Location: '/context' }).end();
    else if (url === '/context') response.writeHead(200, { 'Content-Type': 'application/x-tar' }).end(gzipSync(tar));
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const remote = (path: string) => build(api(), Buffer.alloc(0), { remote: `http://127.0.0.1:${port}${path}` });
  try {
    const file = await remote('/Dockerfile');
    expect(file.error).toBeUndefined();
    expect(await addedFiles(api(), file.imageId!, 1)).toMatchObject({
      '/got/file': '0600 0:0 abc',
      '/named': '0600 0:0 sub',
    });
    const context = await remote('/moved');
    expect(Object.keys(await addedFiles(api(), context.imageId!, 0)).sort()).toEqual([
      '/c',
      '/c/.dockerignore',
      '/c/Dockerfile',
      '/c/seen',
    ]);
    expect((await remote('/missing')).error).toContain('with status 404');
    const wrong = contextTar(`FROM busybox\nADD --checksum=sha256:${'0'.repeat(64)} http://127.0.0.1:${port}/file /`);
    expect((await build(api(), wrong)).error).toContain('digest mismatch');
  } finally {
    server.close();
  }
});

test('a git repository is a context, at a branch and in a folder, and a source of ADD', async () => {
  const folder = join(daemon().folder, 'repo.git');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: folder, encoding: 'utf8' });
  mkdirSync(join(folder, 'sub'), { recursive: true });
  git('init', '-q', '-b', 'main');
  writeFileSync(join(folder, 'sub/Dockerfile'), 'FROM scratch\nCOPY f /f\n');
  writeFileSync(join(folder, 'sub/f'), 'main');
  git('add', '.');
  git('commit', '-qm', 'one');
  git('checkout', '-qb', 'other');
  writeFileSync(join(folder, 'sub/f'), 'other');
  git('commit', '-qam', 'two');
  const port = await gitServer(folder);
  try {
    const made = await build(api(), Buffer.alloc(0), { remote: `git://127.0.0.1:${port.number}/repo.git#other:sub` });
    expect(made.error).toBeUndefined();
    expect(await addedFiles(api(), made.imageId!, 0)).toEqual({ '/f': '0644 0:0 other' });
    const added = await build(api(), contextTar(`FROM busybox\nADD git://127.0.0.1:${port.number}/repo.git#main /r`));
    expect(added.error).toBeUndefined();
    expect(await addedFiles(api(), added.imageId!, 1)).toMatchObject({ '/r/sub/f': '0644 0:0 main' });
    const withChecksum = (checksum: string) =>
      build(
        api(),
        contextTar(
          `FROM busybox\nARG C=${checksum}\nADD --checksum=$C --keep-git-dir git://127.0.0.1:${port.number}/repo.git#main /r`,
        ),
      );
    const kept = await withChecksum(git('rev-parse', 'main').trim());
    expect(Object.keys(await addedFiles(api(), kept.imageId!, 1))).toContain('/r/.git/HEAD');
    expect((await withChecksum('0'.repeat(40))).error).toContain('expected checksum to match');
    expect(
      (await build(api(), Buffer.alloc(0), { remote: `git://127.0.0.1:${port.number}/nope.git` })).error,
    ).toContain('git');
  } finally {
    port.close();
  }
});

test('containers stay as rm and forcerm say', async () => {
  const failing = contextTar('FROM busybox\nRUN true\nRUN false');
  const left = async (query: Record<string, string>) => {
    await build(api(), failing, { nocache: '1', ...query });
    const found = (await containers()).length;
    await daemon().removeEverything();
    return found;
  };
  expect(await left({})).toBe(1);
  expect(await left({ rm: '0' })).toBe(2);
  expect(await left({ forcerm: '1' })).toBe(0);
});

test('independent stages run side by side, and are shown one after the other', async () => {
  const stage = (name: string) =>
    `FROM busybox AS ${name}\nRUN --mount=type=cache,id=meet,target=/meet touch /meet/${name}; i=0; while [ ! -e /meet/a -o ! -e /meet/b ]; do sleep 0.1; i=$((i+1)); [ $i -lt 300 ]; done\n`;
  const made = await build(
    api(),
    contextTar(`${stage('a')}${stage('b')}FROM scratch\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b\n`),
    { nocache: '1' },
  );
  expect(made.error).toBeUndefined();
  const steps = [...made.output.matchAll(/Step (\d+)\/7/g)].map(([, number]) => Number(number));
  expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a client that leaves ends the build and its container', async () => {
  const response = await api().open('POST', '/build?nocache=1', {
    body: contextTar('FROM busybox\nRUN sleep 600'),
    headers: { 'Content-Type': 'application/x-tar' },
  });
  await eventually('the step to run', async () => (await containers()).some(({ State }) => State === 'running'));
  response.destroy();
  await eventually('the container to go', async () => (await containers()).length === 0, 20_000);
  await eventually('the context to go', () => readdirSync(join(daemon().dataRoot, 'builder/tmp')).length === 0);
});

test('a build is cancelled by its id', async () => {
  const building = build(api(), contextTar('FROM busybox\nRUN sleep 600'), { nocache: '1', buildid: 'mine' });
  await eventually('the step to run', async () => (await containers()).some(({ State }) => State === 'running'));
  expect((await api().post('/build/cancel?id=mine')).status).toBe(204);
  expect((await building).error).toBe('Build cancelled');
  expect(await containers()).toEqual([]);
});

test('entitlements say what steps may ask for', async () => {
  const insecure = contextTar('FROM busybox\nRUN --security=insecure mount -t tmpfs x /tmp && echo mounted');
  expect((await build(api(), insecure)).output).toContain('mounted\n');
  const host = contextTar('FROM busybox\nRUN --network=host true');
  expect((await build(api(), host)).error).toContain('granting entitlement network.host is not allowed');
});

test('squash makes one layer of all that the build adds', async () => {
  const dockerfile = 'FROM busybox\nRUN echo 1 > /a; echo 1 > /gone\nRUN rm /gone /bin/wget; echo 2 > /b\nENV X=1\n';
  const made = await build(api(), contextTar(dockerfile), { squash: '1', t: 'squashed' });
  expect(made.error).toBeUndefined();
  const image = (await api().get('/images/squashed/json')).json<{
    RootFS: { Layers: string[] };
    Config: { Env: string[] };
  }>();
  expect(image.RootFS.Layers).toHaveLength(2);
  expect(image.Config.Env).toContain('X=1');
  const added = await addedFiles(api(), 'squashed', 1);
  expect(added).toMatchObject({ '/a': '0644 0:0 1\n', '/b': '0644 0:0 2\n', '/bin/wget': '-' });
  expect(added['/gone']).toBeUndefined();
});

test('cache-from takes steps of an image that came from elsewhere', async () => {
  const dockerfile = 'FROM busybox\nRUN head -c 8 /dev/urandom > /r\nCOPY f /f\nENV A=1\nRUN echo later > /l\n';
  const context = contextTar(dockerfile, { f: 'F' });
  const first = await build(api(), context, { t: 'source:1', nocache: '1' });
  const archive = (await api().get('/images/source:1/get')).body;
  await api().delete('/images/source:1');
  await prune({ all: '1' });
  const loaded = await api().post('/images/load?quiet=1', undefined, {
    body: archive,
    headers: { 'Content-Type': 'application/x-tar' },
  });
  expect(loaded.status).toBe(200);
  const again = await build(api(), context, { cachefrom: '["source:1"]', t: 'again' });
  expect(again.output.match(/Using cache/g)).toHaveLength(4);
  expect((await addedFiles(api(), 'again', 1))['/r']).toBe((await addedFiles(api(), first.imageId!, 1))['/r']);
  expect(
    (await build(api(), contextTar(dockerfile, { f: 'G' }), { cachefrom: '["source:1"]' })).output.match(
      /Using cache/g,
    ),
  ).toHaveLength(1);
});

test('the cache stays within its limit: what was used longest ago goes first', async () => {
  const make = (name: string) =>
    build(api(), contextTar(`FROM busybox\nRUN head -c 150000 /dev/zero > /${name}\n`), { nocache: '1' });
  await make('older');
  await make('newer');
  await eventually('the older one to go', async () => {
    const sizes = (await cached()).map(({ Size }) => Size).filter((size) => size === 150000);
    return sizes.length === 1;
  });
  const again = await build(api(), contextTar('FROM busybox\nRUN head -c 150000 /dev/zero > /newer\n'));
  expect(again.output).toContain('Using cache');
});

test('the cache is shown by df and emptied by prune, which keeps what images with a name need', async () => {
  await prune({ all: '1' });
  const dockerfile = (last: string) =>
    `FROM busybox\nRUN --mount=type=cache,target=/cm head -c 1000 /dev/zero > /cm/z\nRUN head -c 5000 /dev/zero > /${last}\n`;
  await build(api(), contextTar(dockerfile('kept')), { t: 'kept', nocache: '1' });
  await build(api(), contextTar(dockerfile('loose')));
  const shown = await cached();
  expect(shown.map(({ Type, Size, Shared }) => [Type, Size, Shared]).sort()).toEqual([
    ['exec.cachemount', 1000, false],
    ['regular', 0, true],
    ['regular', 5000, false],
    ['regular', 5000, true],
  ]);
  expect(await daemon().cli.ok('system', 'df')).toMatch(/Build Cache\s+4\s+0\s+6kB\s+6kB/);
  const loose = shown.find(({ Size, Shared }) => Size === 5000 && !Shared)!;
  expect(await prune({ filters: JSON.stringify({ type: ['exec.cachemount'], until: ['1h'] }) })).toEqual({
    CachesDeleted: null,
    SpaceReclaimed: 0,
  });
  expect(await prune({ filters: JSON.stringify({ nope: ['x'] }) })).toMatchObject({
    message: expect.stringContaining("invalid filter 'nope'"),
  });
  expect(await prune({ filters: JSON.stringify({ id: [loose.ID] }) })).toEqual({
    CachesDeleted: [loose.ID],
    SpaceReclaimed: 5000,
  });
  expect(await daemon().cli.ok('builder', 'prune', '-f')).toContain('Total reclaimed space: 1kB');
  expect((await cached()).every(({ Shared }) => Shared)).toBe(true);
  expect((await build(api(), contextTar(dockerfile('kept')))).output.match(/Using cache/g)).toHaveLength(2);
  expect((await prune({ all: '1' })).CachesDeleted).toHaveLength(2);
  expect(await cached()).toEqual([]);
});

async function gitServer(repository: string): Promise<{ number: number; close(): void }> {
  const server = createServer((socket) => {
    const child = spawn('git', ['daemon', '--inetd', '--export-all', `--base-path=${join(repository, '..')}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    socket.pipe(child.stdin);
    child.stdout.pipe(socket);
    for (const stream of [socket, child.stdin, child.stdout]) stream.on('error', () => {});
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { number: (server.address() as AddressInfo).port, close: () => server.close() };
}
