import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { daemonForSuite, testRuntime } from '../support/daemon';
import { makeTar } from '../support/tar';

const daemon = daemonForSuite();
const api = () => daemon().api;

test('_ping answers GET and HEAD and tells versions in its headers', async () => {
  const ping = await api().get('/_ping');
  expect(ping).toMatchObject({ status: 200, text: 'OK' });
  expect(ping.headers).toMatchObject({
    'api-version': '1.51',
    'docker-experimental': 'false',
    'cache-control': 'no-cache, no-store, must-revalidate',
    pragma: 'no-cache',
    ostype: 'linux',
  });
  expect(ping.headers['content-type']).toMatch(/^text\/plain/);
  const head = await api().request('HEAD', '/_ping');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['api-version']).toBe('1.51');
});

test('version and info describe this engine', async () => {
  expect((await api().get('/version')).json()).toMatchObject({
    ApiVersion: '1.51',
    MinAPIVersion: '1.24',
    Os: 'linux',
    KernelVersion: expect.any(String),
    Components: expect.arrayContaining([expect.objectContaining({ Name: 'Engine' })]),
  });
  expect((await api().get('/info')).json()).toMatchObject({
    DockerRootDir: daemon().dataRoot,
    Driver: 'overlay2',
    CgroupDriver: 'cgroupfs',
    DefaultRuntime: testRuntime,
    Runtimes: {
      runc: {
        path: 'runc',
        // As the program says it, on one line.
        status: {
          'org.opencontainers.runtime-spec.features': expect.stringMatching(/^\{"ociVersionMin":"1\..*"linux":/),
        },
      },
    },
    LoggingDriver: 'json-file',
    Images: 1,
    Containers: 0,
    Plugins: { Volume: ['local'], Network: expect.arrayContaining(['bridge', 'host', 'null']) },
    ID: expect.any(String),
  });
});

test.each(['1.24', '1.30', '1.41', '1.47', '1.51'])('API %s is spoken', async (version) => {
  expect((await api().get(`/v${version}/containers/json`)).json()).toEqual([]);
  expect((await api().get(`/v${version}/_ping`)).status).toBe(200);
});

test('API versions outside the range are refused as dockerd does', async () => {
  // Clients that old know no JSON errors.
  expect(await api().get('/v1.23/info')).toMatchObject({
    status: 400,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
    text: 'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n',
  });
  expect((await api().get('/v1.99/info')).json().message).toBe(
    'client version 1.99 is too new. Maximum supported API version is 1.51',
  );
  expect(await api().get('/v1.99/info')).toMatchObject({ status: 400 });
});

test('a path or method that is none is 404 or 405', async () => {
  for (const path of ['/no/such/thing', '/v1.51/no/such/thing', '/vX/info']) {
    expect(await api().get(path)).toMatchObject({ status: 404 });
    expect((await api().get(path)).json()).toEqual({ message: 'page not found' });
  }
  expect([404, 405]).toContain((await api().request('PUT', '/info')).status);
});

test('curl reads the containers from the socket', async () => {
  const args = ['-sS', '--fail', '--unix-socket', daemon().socketPath, 'http://localhost/containers/json'];
  expect(execFileSync('curl', args, { encoding: 'utf8' }).trim()).toBe('[]');
});

test('the socket is for its owner and group alone', () => {
  expect(statSync(daemon().socketPath).mode & 0o777).toBe(0o660);
});

test('an upgrade is no way around: a route that is no stream refuses it', async () => {
  const path = '/containers/create?name=smuggled';
  await expect(api().hijack(path, { Image: 'busybox' })).rejects.toThrow(/not upgraded: (201|4\d\d)/);
  await api().delete('/containers/smuggled');
});

test('attach sends framed streams and a half-closed client still reads to the end', async () => {
  const config = {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'cat; echo end >&2'],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
  };
  await api().post('/containers/create?name=half', config);
  const { socket, head } = await api().hijack('/containers/half/attach?stream=1&stdin=1&stdout=1&stderr=1');
  const parts = [head];
  socket.on('data', (part) => parts.push(part));
  await api().post('/containers/half/start');
  socket.end('sent\n');
  await new Promise((resolve) => socket.once('close', resolve));
  const frame = (stream: number, text: string) => {
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, text.length]);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  // Each stream has a pipe of its own: which of two that are written at once is read first is open.
  const [first, second] = [frame(1, 'sent\n'), frame(2, 'end\n')];
  expect([Buffer.concat([first, second]), Buffer.concat([second, first])]).toContainEqual(Buffer.concat(parts));
  await api().delete('/containers/half?force=1');
});

test('wait answers with the exit code, at once for a container that has ended', async () => {
  await api().post('/containers/create?name=seven', { Image: 'busybox', Cmd: ['sh', '-c', 'exit 7'] });
  const next = api().post('/containers/seven/wait?condition=next-exit');
  await api().post('/containers/seven/start');
  expect((await next).json()).toMatchObject({ StatusCode: 7 });
  expect((await api().post('/containers/seven/wait')).json()).toMatchObject({ StatusCode: 7 });
  await api().delete('/containers/seven');
});

test('a second daemon on the same socket is refused, and the first goes on', async () => {
  const bin = `${__dirname}/../../core/bin/gantryd.js`;
  const folder = `${daemon().folder}/second`;
  const flags = ['--host', daemon().host, '--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`];
  const more = ['--pidfile', `${folder}/pid`, '--bridge', 'none', '--config-file', daemon().configPath];
  const run = () => execFileSync(process.execPath, [bin, ...flags, ...more], { stdio: 'pipe', timeout: 20_000 });
  expect(run).toThrow(/docker\.sock/);
  expect((await api().get('/_ping')).status).toBe(200);
});

test('info has every field of the schema, in its type', async () => {
  const info = (await api().get('/v1.51/info')).json();
  const types: Record<string, string> = {
    string:
      'ID Driver SystemTime LoggingDriver CgroupDriver CgroupVersion KernelVersion OperatingSystem OSVersion OSType Architecture IndexServerAddress DockerRootDir HttpProxy HttpsProxy NoProxy Name ServerVersion DefaultRuntime Isolation InitBinary',
    number:
      'Containers ContainersRunning ContainersPaused ContainersStopped Images NFd NGoroutines NEventsListener NCPU MemTotal',
    boolean:
      'MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit OomKillDisable IPv4Forwarding Debug ExperimentalBuild LiveRestoreEnabled',
    object:
      'DriverStatus Plugins RegistryConfig GenericResources Labels Runtimes Swarm ContainerdCommit RuncCommit InitCommit SecurityOptions CDISpecDirs Warnings',
  };
  for (const [type, names] of Object.entries(types))
    for (const name of names.split(' ')) expect(`${name} ${typeof info[name]}`).toBe(`${name} ${type}`);
  expect(info.NGoroutines).toBeGreaterThan(0);
  expect(info.RuncCommit.ID).toMatch(/\d/);
  const { Components } = (await api().get('/version')).json();
  expect(Components).toContainEqual({
    Name: testRuntime,
    Version: expect.stringMatching(/^\d/),
    Details: { GitCommit: expect.any(String) },
  });
});

test('disk usage follows what is written, also into a container that does not run', async () => {
  const { cli } = daemon();
  const df = async () => (await api().get('/system/df')).json();
  const size = async () =>
    (await df()).Containers.find(({ Names }: { Names: string[] }) => Names[0] === '/heavy').SizeRw;
  await cli.ok(
    'run',
    '--name',
    'heavy',
    '-v',
    'store:/store',
    'busybox',
    'sh',
    '-c',
    'head -c 1000 /dev/zero > /a; head -c 500 /dev/zero > /store/b',
  );
  expect(await size()).toBe(1000);
  await api().request('PUT', '/containers/heavy/archive?path=/', {
    body: makeTar([{ name: 'c', data: Buffer.alloc(234) }]),
    headers: { 'Content-Type': 'application/x-tar' },
  });
  expect(await size()).toBe(1234);
  const { Volumes, Images, LayersSize } = await df();
  expect(Volumes).toEqual([expect.objectContaining({ Name: 'store', UsageData: { Size: 500, RefCount: 1 } })]);
  expect(Images).toEqual([expect.objectContaining({ Containers: 1, SharedSize: 0 })]);
  expect(LayersSize).toBeGreaterThan(0);
  const shown = await cli.ok('system', 'df', '-v');
  expect(shown).toMatch(/busybox.*1\s+1\.23kB/);
  expect(shown).toMatch(/store\s+1\s+500B/);
  await cli.ok('rm', '-f', '-v', 'heavy');
  await cli.ok('volume', 'rm', '-f', 'store');
});
