import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { addedFiles } from '../support/build';
import { BuildkitClient, fields } from '../support/buildkit-client';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { field } from '../support/fake-buildkit';
import { readTar } from '../support/tar-reader';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;
const clients: BuildkitClient[] = [];
let opened = 0;

/** A client whose context is these files. */
async function client(dockerfile: string, context: Record<string, string | undefined | { link: string }> = {}) {
  const made = await BuildkitClient.open(daemon().socketPath, `session${opened++}`, {
    dockerfile: { Dockerfile: dockerfile },
    context,
    other: { '.dockerignore': 'no\n', no: 'no', yes: 'yes' },
  });
  clients.push(made);
  return made;
}
afterEach(() => {
  for (const one of clients.splice(0)) one.close();
});

const leftovers = () => [
  readdirSync(join(daemon().dataRoot, 'builder/tmp')),
  readdirSync(join(daemon().dataRoot, 'builder/steps')),
  readdirSync(join(daemon().execRoot, 'builder/private')),
];
const nothing = [[], [], []];

test('a build takes from its client what the Dockerfile names, tells its steps, and describes its image as BuildKit does', async () => {
  const dockerfile = [
    'FROM busybox AS one',
    'ARG X=1',
    'ARG Y',
    'RUN echo hi $X && echo err >&2',
    'COPY a sub /d/',
    'FROM one',
    'WORKDIR /w',
    'COPY --from=one --chown=1:2 /d/a b',
    'EXPOSE 80 90/udp',
    'ONBUILD RUN true',
    'CMD echo',
  ].join('\n');
  const files = { '.dockerignore': 'sub/no', a: 'A', junk: 'J', sub: undefined, 'sub/no': 'n', 'sub/yes': 'y' };
  const first = await client(dockerfile, files);
  const attributes = { 'build-arg:Y': 'y', 'label:from': 'client', 'build-arg:UNUSED': 'u' };
  const built = await first.solve('first', attributes, { name: 'built:1,built:2' });
  expect([built.status, built.message]).toEqual(['0', '']);
  expect(built.steps.map(({ name }) => name).toSorted()).toEqual(
    [
      '[internal] load .dockerignore',
      '[internal] load build context',
      '[internal] load build definition from Dockerfile',
      '[internal] load metadata for docker.io/library/busybox:latest',
      '[one 1/3] FROM docker.io/library/busybox:latest',
      '[one 2/3] RUN echo hi $X && echo err >&2',
      '[one 3/3] COPY a sub /d/',
      '[stage-1 1/2] WORKDIR /w',
      '[stage-1 2/2] COPY --from=one --chown=1:2 /d/a b',
      'exporting to image',
    ].toSorted(),
  );
  expect(built.steps.filter(({ isDone, error }) => !isDone || error !== '')).toEqual([]);
  // Two pipes: which line comes first is open.
  expect(built.output.split('\n').toSorted()).toEqual(['', 'err', 'hi 1']);
  expect(first.asked).toEqual([
    { directory: 'dockerfile', paths: ['Dockerfile', 'Dockerfile.dockerignore', 'dockerfile'] },
    { directory: 'context', paths: ['.dockerignore'] },
    { directory: 'context', paths: ['a', 'sub'] },
  ]);
  const id = built.response['containerimage.digest']!;
  expect(built.response).toEqual({
    'containerimage.config.digest': id,
    'containerimage.digest': id,
    'image.name': 'docker.io/library/built:1,docker.io/library/built:2',
  });
  const image = (await api().get('/images/built:2/json')).json<{ Id: string; Config: Record<string, unknown> }>();
  expect(image).toMatchObject({
    Id: id,
    Comment: 'buildkit.dockerfile.v0',
    Config: {
      Cmd: ['/bin/sh', '-c', 'echo'],
      ArgsEscaped: true,
      WorkingDir: '/w',
      Labels: { from: 'client' },
      OnBuild: ['RUN true'],
    },
  });
  const history = (await api().get('/images/built:1/history')).json<{ CreatedBy: string }[]>();
  expect(history.map(({ CreatedBy }) => CreatedBy).slice(0, 8)).toEqual([
    'CMD ["/bin/sh" "-c" "echo"]',
    'EXPOSE [80/tcp 90/udp]',
    'COPY --chown=1:2 /d/a b # buildkit',
    'WORKDIR /w',
    'COPY a sub /d/ # buildkit',
    'RUN |2 X=1 Y=y /bin/sh -c echo hi $X && echo err >&2 # buildkit',
    'ARG Y=y',
    'ARG X=1',
  ]);
  expect(await addedFiles(api(), 'built:1', 1)).toMatchObject({
    '/d/a': '0644 0:0 A',
    '/d/yes': '0644 0:0 y',
    '/w/b': '0644 1:2 A',
  });
  expect(Object.keys(await addedFiles(api(), 'built:1', 1))).not.toContain('/d/no');

  const again = await first.solve('again', { ...attributes, 'label:from': 'another' });
  const steps = again.steps.filter(({ name }) => /^\[(one|stage)/.test(name));
  expect(steps.map(({ cached }) => cached)).toEqual([true, true, true, true, true]);
  expect(again.response['containerimage.digest']).not.toBe(id);
  expect(leftovers()).toEqual(nothing);
});

test('what fails is told with its place in the Dockerfile, and leaves nothing', async () => {
  const failing = await client('FROM busybox\nRUN echo before && \\\n  exit 7\n');
  const failed = await failing.solve('failing');
  const message = 'process "/bin/sh -c echo before &&   exit 7" did not complete successfully: exit code: 7';
  expect([failed.status, failed.message]).toEqual(['2', message]);
  expect(failed.details).toContain('errdefs.Source+json');
  expect(failed.details).toContain(
    '"ranges":[{"start":{"line":2},"end":{"line":2}},{"start":{"line":3},"end":{"line":3}}]',
  );
  expect(failed.steps.at(-1)).toMatchObject({
    name: '[2/2] RUN echo before &&   exit 7',
    isDone: true,
    error: message,
  });

  const reasonOf = async (dockerfile: string, attributes = {}, options = {}) => {
    const one = await client(dockerfile, { there: 'x' });
    const { status, message: reason } = await one.solve(`r${opened}`, attributes, options);
    return `${status} ${reason}`;
  };
  expect(await reasonOf('FROM busybox\nCOPY nope /x\n')).toMatch(
    /^2 failed to compute cache key: .*"\/nope": not found$/,
  );
  expect(await reasonOf('FROM busybox\nRUNN x\n')).toBe(
    '2 dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)',
  );
  expect(await reasonOf('FROM busybox', { target: 'zz' })).toBe('2 target stage "zz" could not be found');
  expect(await reasonOf('')).toBe('2 the Dockerfile cannot be empty');
  expect(await reasonOf('FROM busybox', { filename: 'gone' })).toBe(
    '2 failed to read dockerfile: open gone: no such file or directory',
  );
  expect(await reasonOf('FROM busybox', {}, { exporter: 'oci' })).toMatch(/^12 exporter "oci" could not be found/);
  expect(await reasonOf('FROM busybox', {}, { frontend: 'other.v0' })).toMatch(
    /^12 frontend other.v0 is not supported/,
  );
  expect(await reasonOf('# syntax=acme/language:1\nFROM busybox')).toMatch(
    /^12 the frontend acme\/language:1 cannot be run/,
  );
  expect(await reasonOf('FROM busybox', { platform: 'linux/amd64,linux/arm64' })).toMatch(/^12 multiple platforms/);
  expect(await reasonOf('FROM busybox', { 'context:x': 'oci-layout://x' })).toMatch(
    /^12 the build context x=oci-layout/,
  );
  expect(await reasonOf('FROM busybox', {}, { name: 'UPPER' })).toContain('must be lowercase');
  expect(leftovers()).toEqual(nothing);
});

test('named contexts are images and directories of the client, each with its own ignore file', async () => {
  const one = await client(
    '# syntax=docker/dockerfile:1.7\nFROM base\nCOPY --from=files . /f/\nRUN --mount=from=files,target=/m cp /m/yes /g\n',
  );
  const built = await one.solve(
    'named',
    { 'context:base': 'docker-image://busybox', 'context:files': 'local:other' },
    { name: 'named' },
  );
  expect([built.status, built.message]).toEqual(['0', '']);
  const files = await addedFiles(api(), 'named', 1);
  expect(Object.keys(files)).toEqual(expect.arrayContaining(['/f/yes', '/g']));
  expect(Object.keys(files)).not.toContain('/f/no');
});

test('a client may drive the build itself, over the bridge', async () => {
  const one = await client('FROM busybox\nRUN echo bridged > /b\n');
  const ref = 'driven';
  const headers = { 'buildkit-controlapi-buildid': ref };
  const bridge = '/moby.buildkit.v1.frontend.LLBBridge';
  const solved = one.solve(ref, {}, { frontend: '', name: 'bridged' });
  const pong = await one.ask(`${bridge}/Ping`, undefined, headers);
  expect(pong.status).toBe('0');
  const request = Buffer.concat([field(2, 'dockerfile.v0'), Buffer.from([5 * 8, 1, 6 * 8, 1])]);
  const result = await one.ask(`${bridge}/Solve`, request, headers);
  const refs = fields(result.messages[0]!.find(({ number }) => number === 3)!.bytes);
  const returned = await one.ask(`${bridge}/Return`, field(1, field(3, refs[0]!.bytes)), headers);
  expect([result.status, returned.status]).toEqual(['0', '0']);
  expect(await solved).toMatchObject({ status: '0', response: { 'image.name': 'docker.io/library/bridged' } });
  expect(await addedFiles(api(), 'bridged', 1)).toEqual({ '/b': '0644 0:0 bridged\n' });
});

test('an older client asks by POST /build, and finds the status in the answer', async () => {
  const one = await client('FROM busybox\nCOPY a /a\nRUN echo said\n', { a: 'A' });
  const query = `version=2&remote=client-session&session=${one.session}&buildid=older&t=older%3A1&nocache=1`;
  const answer = await api().post(`/build?${query}`);
  const lines = answer.text
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line) as { id?: string; aux?: unknown });
  const traces = lines
    .filter(({ id }) => id === 'moby.buildkit.trace')
    .map(({ aux }) => Buffer.from(String(aux), 'base64'));
  expect(Buffer.concat(traces).toString('latin1')).toContain('said\n');
  const image = (await api().get('/images/older:1/json')).json<{ Id: string }>();
  expect(lines.at(-1)).toEqual({ id: 'moby.image.id', aux: { ID: image.Id } });
});

test('a client that goes in the middle of a step takes its build along', async () => {
  const one = await client('FROM busybox\nRUN sleep 1000\n');
  const built = one.solve('left', { 'no-cache': '' }).catch(() => {});
  const running = async () => (await api().get('/containers/json')).json<unknown[]>().length;
  await eventually('the step to run', async () => (await running()) === 1);
  one.close();
  await eventually('the build to be gone', async () => (await running()) === 0);
  await eventually('its files to be gone', () => JSON.stringify(leftovers()) === JSON.stringify(nothing));
  expect((await api().get('/containers/json?all=1')).json()).toEqual([]);
  await built;
});

test('a daemon that is killed in the middle of a build leaves nothing of it to the next one', async () => {
  const one = await client('FROM busybox\nRUN sleep 1000\n', {});
  one.solve('killed', { 'no-cache': '' }).catch(() => {});
  const running = async () => (await api().get('/containers/json')).json<unknown[]>().length;
  await eventually('the step to run', async () => (await running()) === 1);
  await daemon().kill();
  await daemon().start();
  await eventually('its container to be gone', async () => {
    return (await api().get('/containers/json?all=1')).json<unknown[]>().length === 0;
  });
  expect(leftovers()).toEqual(nothing);
});

test('the cache is listed and emptied over the same connection', async () => {
  const one = await client('FROM busybox\nRUN echo cached > /c\n');
  await one.solve('cached');
  const control = '/moby.buildkit.v1.Control';
  const usage = async () => (await one.ask(`${control}/DiskUsage`)).messages[0] ?? [];
  expect((await usage()).length).toBeGreaterThan(0);
  const pruned = await one.ask(`${control}/Prune`, Buffer.from([2 * 8, 1]));
  expect(pruned.messages.length).toBeGreaterThan(0);
  expect(await usage()).toEqual([]);
  expect((await one.ask(`${control}/ListBuildHistory`)).status).toBe('12');
  expect((await one.ask(`${control}/ListWorkers`)).status).toBe('0');
  expect((await one.ask(`${control}/Info`)).status).toBe('0');
});

test('the files of a result go to the client, as a directory or as an archive', async () => {
  const dockerfile = [
    'FROM busybox AS made',
    'RUN mkdir -p /o/d && echo in > /o/d/f && chmod 4750 /o/d/f && ln -s d/f /o/l && : > /o/empty',
    'FROM scratch',
    'COPY --from=made /o /',
    'COPY a /',
  ].join('\n');
  const one = await client(dockerfile, { a: 'A' });
  const local = await one.solve('local', {}, { exporter: 'local' });
  expect([local.status, local.message]).toEqual(['0', '']);
  expect(local.steps.at(-1)).toMatchObject({ name: 'exporting to client directory', isDone: true, error: '' });
  expect(Object.fromEntries(one.taken[0]!.files)).toEqual({
    a: { mode: 0o644, link: '', text: 'A' },
    d: { mode: 2 ** 31 + 0o755, link: '', text: '' },
    // Go's bit for setuid.
    'd/f': { mode: 2 ** 23 + 0o750, link: '', text: 'in\n' },
    empty: { mode: 0o644, link: '', text: '' },
    l: { mode: 2 ** 27 + 0o777, link: 'd/f', text: '' },
  });
  const tar = await one.solve('tar', {}, { exporter: 'tar' });
  expect(tar.status).toBe('0');
  const entries = readTar(one.taken[0]!.bytes).map(({ name, data }) => [name, data.toString()]);
  expect(entries).toEqual([
    ['a', 'A'],
    ['d/', ''],
    ['d/f', 'in\n'],
    ['empty', ''],
    ['l', ''],
  ]);
  expect(leftovers()).toEqual(nothing);
});

test('checks are told with a build, and without one; they fail it when its author wants that', async () => {
  const one = await client('FROM busybox as B\nENV a b\n');
  const built = await one.solve('warned');
  expect(built.warnings).toEqual([
    "StageNameCasing: Stage name 'B' should be lowercase (line 1)",
    "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
    'LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format (line 2)',
  ]);
  const strict = await one.solve('strict', {
    'build-arg:BUILDKIT_DOCKERFILE_CHECK': 'skip=StageNameCasing;error=true',
  });
  expect([strict.status, strict.message]).toEqual([
    '2',
    'lint violation found for rules: FromAsCasing, LegacyKeyValueFormat',
  ]);
  const answered = await one.solve('check', { requestid: 'frontend.lint' });
  expect(answered.response['result.statuscode']).toBe('1');
  expect(JSON.parse(answered.response['result.json']!)).toMatchObject({
    warnings: [{ ruleName: 'StageNameCasing' }, { ruleName: 'FromAsCasing' }, { ruleName: 'LegacyKeyValueFormat' }],
    sources: [{ filename: 'Dockerfile', language: 'Dockerfile' }],
  });
  const broken = await client('FROM busybox\nFOO\n');
  const fault = await broken.solve('broken', { requestid: 'frontend.lint' });
  expect(JSON.parse(fault.response['result.json']!)).toMatchObject({
    warnings: null,
    buildError: { message: expect.stringContaining('unknown instruction: FOO'), location: { ranges: [{}] } },
  });
  expect(await one.solve('nonsense', { requestid: 'frontend.nonsense' })).toMatchObject({ status: '12' });
  expect(leftovers()).toEqual(nothing);
});

test('a client hears which targets a Dockerfile has, and what a build of one can be given', async () => {
  const one = await client(
    [
      '# WHO is greeted',
      'ARG WHO=world',
      '# out is the result',
      'FROM busybox AS out',
      'ARG WHO',
      'ARG LEVEL=1',
      'RUN --mount=type=secret,id=token,required=true --mount=type=ssh true',
      'FROM out AS last',
    ].join('\n'),
  );
  const targets = await one.solve('targets', { requestid: 'frontend.targets' });
  expect(JSON.parse(targets.response['result.json']!).targets).toMatchObject([
    { name: 'out', base: 'busybox', description: 'is the result' },
    { name: 'last', base: 'out', default: true },
  ]);
  const outline = await one.solve('outline', { requestid: 'frontend.outline', 'build-arg:LEVEL': '2', target: 'out' });
  expect(JSON.parse(outline.response['result.json']!)).toMatchObject({
    name: 'out',
    args: [
      { name: 'WHO', description: 'is greeted', value: 'world' },
      { name: 'LEVEL', value: '2' },
    ],
    secrets: [{ name: 'token', required: true }],
    ssh: [{ name: 'default' }],
  });
});
