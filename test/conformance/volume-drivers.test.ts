import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-shelf-'));
const socketPath = join(folder, 'shelf.sock');
const programs = {
  TypeScript: [
    process.execPath,
    join(root, 'examples/volume-over-socket/dist/main.js'),
    '--socket',
    socketPath,
    '--root',
    join(folder, 'shelves'),
  ],
  Python: [
    'python3',
    join(root, 'examples/volume-over-socket/python/shelf_volumes.py'),
    socketPath,
    join(folder, 'shelves'),
  ],
} as const;

let program: ChildProcess | undefined;
async function start([command, ...args]: readonly string[]): Promise<void> {
  program = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(program.stdout!, 'data');
}
async function end(): Promise<void> {
  if (program === undefined || program.exitCode !== null || program.signalCode !== null) return;
  program.kill('SIGKILL');
  await once(program, 'exit');
}

// Before the daemon: a required plugin must be there when it starts.
beforeAll(() => start(programs.TypeScript));
afterAll(async () => {
  await end();
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({
  config: {
    plugins: {
      'scratch-volumes': {
        module: join(root, 'examples/volume-in-process'),
        config: { root: join(folder, 'scratch'), maxVolumes: 20 },
      },
      shelf: { socket: socketPath },
      'never-there': { socket: join(folder, 'never.sock'), optional: true },
    },
  },
});

const docker = async (...args: string[]) => {
  const result = await daemon().cli.run(args);
  return { ...result, said: `${result.stdout}${result.stderr}`.trim() };
};

test('docker info names the volume drivers of every door', async () => {
  const { stdout } = await docker('info', '--format', '{{json .Plugins.Volume}}');
  expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(['local', 'scratch', 'shelf']));
});

describe.each([
  ['local', () => join(daemon().dataRoot, 'volumes', 'notes', '_data')],
  ['scratch', () => join(folder, 'scratch', 'notes')],
  ['shelf', () => join(folder, 'shelves', 'shelves', 'notes')],
])('a volume of the driver %s', (driver, place) => {
  afterEach(async () => {
    await docker('volume', 'rm', '-f', 'notes');
  });

  test('is made, used by containers, protected while in use, and removed', async () => {
    expect(await docker('volume', 'create', '-d', driver, 'notes')).toMatchObject({ code: 0, said: 'notes' });
    expect((await docker('volume', 'inspect', '--format', '{{.Driver}} {{.Mountpoint}}', 'notes')).said).toBe(
      `${driver} ${place()}`,
    );
    expect(
      await docker('run', '--rm', '-v', 'notes:/data', 'busybox', 'sh', '-c', 'echo kept > /data/file'),
    ).toMatchObject({ code: 0 });
    expect(await docker('run', '--rm', '-v', 'notes:/data:ro', 'busybox', 'cat', '/data/file')).toMatchObject({
      said: 'kept',
    });
    const { said: id } = await docker('create', '-v', 'notes:/data', 'busybox', 'true');
    expect(await docker('volume', 'rm', 'notes')).toMatchObject({
      code: 1,
      said: expect.stringContaining(`remove notes: volume is in use - [${id}]`),
    });
    expect((await docker('start', '-a', id)).code).toBe(0);
    expect((await docker('inspect', '--format', '{{range .Mounts}}{{.Driver}} {{.Source}}{{end}}', id)).said).toBe(
      `${driver} ${place()}`,
    );
    await docker('rm', id);
    expect(await docker('volume', 'rm', 'notes')).toMatchObject({ code: 0 });
    expect(existsSync(place())).toBe(false);
  });

  test('is made on the way by docker run --volume-driver', async () => {
    const run = await docker(
      'run',
      '--rm',
      '--volume-driver',
      driver,
      '-v',
      'notes:/data',
      'busybox',
      'touch',
      '/data/made',
    );
    expect(run).toMatchObject({ code: 0 });
    expect((await docker('volume', 'ls', '-q', '-f', `driver=${driver}`)).said).toBe('notes');
    expect(readdirSync(place())).toEqual(['made']);
  });
});

test('what happens to volumes is told as events, with the container that uses them', async () => {
  const since = String(Date.now() / 1000);
  await docker('volume', 'create', 'told');
  const { said: id } = await docker('create', '-v', 'told:/data:ro', 'busybox', 'true');
  await docker('start', '-a', id);
  await docker('rm', id);
  await docker('volume', 'rm', 'told');
  const until = String(Date.now() / 1000);
  const { stdout } = await docker(
    'events',
    '--since',
    since,
    '--until',
    until,
    '--filter',
    'type=volume',
    '--format',
    '{{json .}}',
  );
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Action: string; Actor: unknown });
  expect(events.map(({ Action, Actor }) => [Action, Actor])).toEqual([
    ['create', { ID: 'told', Attributes: { driver: 'local' } }],
    [
      'mount',
      {
        ID: 'told',
        Attributes: { container: id, destination: '/data', driver: 'local', propagation: '', 'read/write': 'false' },
      },
    ],
    ['unmount', { ID: 'told', Attributes: { container: id, driver: 'local' } }],
    ['destroy', { ID: 'told', Attributes: { driver: 'local' } }],
  ]);
});

test('image content reaches a new volume, anonymous volumes go with rm -v and prune, df counts what is there', async () => {
  await docker('volume', 'create', 'filled');
  expect(await docker('run', '--rm', '-v', 'filled:/bin', 'busybox', '/bin/true')).toMatchObject({ code: 0 });
  expect(readdirSync(join(daemon().dataRoot, 'volumes/filled/_data'))).toContain('busybox');
  const usage = (await daemon().api.get('/system/df?type=volume')).json<{
    Volumes: { Name: string; UsageData: { Size: number; RefCount: number } }[];
  }>();
  expect(usage.Volumes).toEqual([
    expect.objectContaining({ Name: 'filled', UsageData: { Size: expect.any(Number), RefCount: 0 } }),
  ]);
  expect(usage.Volumes[0]!.UsageData.Size).toBeGreaterThan(100_000);
  await docker('run', '--rm', '-v', '/anonymous', 'busybox', 'true');
  expect((await docker('volume', 'ls', '-q')).said).toBe('filled');
  const { said: id } = await docker('create', '-v', '/anonymous', 'busybox', 'true');
  await docker('rm', id);
  // By the API: clients before 23 speak a version in which prune takes named volumes too.
  const pruned = async (query: string) =>
    (await daemon().api.post(`/v1.44/volumes/prune${query}`)).json<{ VolumesDeleted: string[] }>().VolumesDeleted;
  expect(await pruned('')).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  expect(await pruned(`?filters=${encodeURIComponent('{"all":["1"]}')}`)).toEqual(['filled']);
  expect((await docker('volume', 'ls', '-q')).said).toBe('');
});

test('a driver nobody provides is told by name', async () => {
  expect(await docker('volume', 'create', '-d', 'acme', 'x')).toMatchObject({
    code: 1,
    said: expect.stringContaining('error looking up volume plugin acme: plugin "acme" not found'),
  });
});

test('an option the driver refuses reaches the user in its own words', async () => {
  for (const [driver, words] of [
    ['local', 'create xx: invalid option: "colour"'],
    ['scratch', 'unknown option "colour"; there is only "mode"'],
    ['shelf', 'shelves take no options, not "colour"'],
  ] as const)
    expect(await docker('volume', 'create', '-d', driver, '-o', 'colour=red', 'xx')).toMatchObject({
      code: 1,
      said: expect.stringContaining(words),
    });
  expect((await docker('volume', 'ls', '-q')).said).toBe('');
});

test('one program may take over the socket of another: same volumes, no restart of the daemon', async () => {
  await docker('volume', 'create', '-d', 'shelf', 'books');
  await docker('run', '--rm', '-v', 'books:/b', 'busybox', 'touch', '/b/first');
  await end();
  await start(programs.Python);
  expect(await docker('run', '--rm', '-v', 'books:/b', 'busybox', 'ls', '/b')).toMatchObject({
    code: 0,
    said: 'first',
  });
  expect(await docker('volume', 'rm', 'books')).toMatchObject({ code: 0 });
  await end();
  await start(programs.TypeScript);
});

test('a dead plugin costs its own volumes a warning and others nothing', async () => {
  await docker('volume', 'create', '-d', 'shelf', 'books');
  await docker('volume', 'create', 'near');
  await end();
  try {
    const startedAt = Date.now();
    const { Volumes, Warnings } = (await daemon().api.get('/volumes')).json<{
      Volumes: { Name: string; CreatedAt: string }[];
      Warnings: string[];
    }>();
    expect(Volumes.map((volume) => volume.Name)).toEqual(['books', 'near']);
    expect(Volumes[0]!.CreatedAt).toBe('0001-01-01T00:00:00Z');
    expect(Warnings).toEqual([expect.stringContaining('list shelf: ')]);
    // Nobody knows these names: every driver is asked, and who is not there is not waited for.
    expect((await daemon().api.get('/volumes/nosuch')).status).toBe(404);
    expect(await docker('volume', 'create', 'new')).toMatchObject({ code: 0 });
    expect(await docker('volume', 'rm', 'new')).toMatchObject({ code: 0 });
    // Repeating the call to the dead plugin would take a second at least, five times.
    expect(Date.now() - startedAt).toBeLessThan(3000);
    expect(await docker('run', '--rm', '-v', 'near:/n', 'busybox', 'true')).toMatchObject({ code: 0 });
    expect(Date.now() - startedAt).toBeLessThan(10_000);
    await docker('volume', 'rm', 'near');
  } finally {
    await start(programs.TypeScript);
    await docker('volume', 'rm', 'books');
  }
});
