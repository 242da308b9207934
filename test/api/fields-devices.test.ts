import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContainer, outputOf, startContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';

const folder = mkdtempSync(join(tmpdir(), 'gantry-cdi-'));
const directories = [join(folder, 'etc'), join(folder, 'run')];
const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
  config: { 'cdi-spec-dirs': directories },
});
const api = () => daemon().api;
const run = (script: string, HostConfig: Record<string, unknown>) => outputOf(daemon(), script, { HostConfig });

beforeAll(() => {
  for (const directory of directories) mkdirSync(directory);
  writeFileSync(join(folder, 'shared'), 'from the host');
  writeFileSync(
    join(directories[0]!, 'acme.yaml'),
    `
cdiVersion: "0.6.0"
kind: acme.com/wheel
containerEdits:
  env: ["ACME=1"]
devices:
  - name: left
    containerEdits:
      env: ["WHEEL=left"]
      deviceNodes:
        - path: /dev/wheel
          hostPath: /dev/null
          permissions: rw
      mounts:
        - hostPath: ${join(folder, 'shared')}
          containerPath: /acme/shared
          options: [ro, bind]
      additionalGids: [4711]
      hooks:
        - hookName: createRuntime
          path: /bin/touch
          args: [touch, ${join(folder, 'hooked')}]
`,
  );
  writeFileSync(join(directories[0]!, 'broken.json'), '{');
  const gpu = (name: string) => ({ name, containerEdits: { env: [`GPU_${name.toUpperCase()}=1`] } });
  const nvidia = { cdiVersion: '0.6.0', kind: 'nvidia.com/gpu', devices: ['0', '1', 'all'].map(gpu) };
  writeFileSync(join(directories[1]!, 'nvidia.json'), JSON.stringify(nvidia));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a device is there under its name, with the access that was asked for', async () => {
  const Devices = [
    { PathOnHost: '/dev/null', PathInContainer: '/dev/hole', CgroupPermissions: 'r' },
    { PathOnHost: '/dev/full', PathInContainer: '', CgroupPermissions: '' },
  ];
  expect(await run('stat -c "%F %t:%T" /dev/hole; (echo x > /dev/full) 2>&1 | grep -o "No space.*"', { Devices })).toBe(
    'character special file 1:3\nNo space left on device',
  );
  // Privileged containers have all devices; one more name for one of them is added.
  expect(await run('ls /dev/hole', { Devices: [Devices[0]], Privileged: true })).toBe('/dev/hole');
  await expect(run('true', { Devices: [{ PathOnHost: '/dev/nowhere', PathInContainer: '/dev/x' }] })).rejects.toThrow(
    /500 .*error gathering device information while adding custom device .*\/dev\/nowhere.*: no such file or directory/,
  );
});

test('a device rule lets a container use what it makes itself', async () => {
  const script = 'mknod /dev/loops c 10 237; (head -c 0 < /dev/loops) 2>&1 && echo opened';
  expect(await run(script, {})).toMatch(/Operation not permitted/);
  expect(await run(script, { DeviceCgroupRules: ['c 10:* rwm'] })).toBe('opened');
});

test('a CDI device brings its nodes, variables, mounts, groups and hooks', async () => {
  const DeviceRequests = [{ Driver: 'cdi', DeviceIDs: ['acme.com/wheel=left'] }];
  const script =
    'echo $ACME $WHEEL; stat -c %F /dev/wheel; cat /acme/shared; echo; id -G; echo x > /dev/wheel && echo wrote';
  expect((await run(script, { DeviceRequests })).split('\n')).toEqual([
    '1 left',
    'character special file',
    'from the host',
    '0 4711',
    'wrote',
  ]);
  const hooked = await run('true', { Binds: [`${folder}:/f`], DeviceRequests }).then(() =>
    run('ls /f/hooked', { Binds: [`${folder}:/f`] }),
  );
  expect(hooked).toBe('/f/hooked');
});

test('--device with a CDI name and --gpus of the docker client work where CDI describes them', async () => {
  const cli = daemon().cli;
  expect(await cli.ok('run', '--rm', '--device', 'acme.com/wheel=left', 'busybox', 'sh', '-c', 'echo $WHEEL')).toBe(
    'left',
  );
  expect(await cli.ok('run', '--rm', '--gpus', 'all', 'busybox', 'sh', '-c', 'echo $GPU_ALL$GPU_0')).toBe('1');
  expect(await cli.ok('run', '--rm', '--gpus', '1', 'busybox', 'sh', '-c', 'echo $GPU_ALL$GPU_0$GPU_1')).toBe('1');
  expect(await cli.ok('run', '--rm', '--gpus', 'device=1', 'busybox', 'sh', '-c', 'env | grep GPU')).toBe('GPU_1=1');
});

test('a device nobody describes is named, and the container stays as it was made', async () => {
  const DeviceRequests = [{ Driver: 'cdi', DeviceIDs: ['acme.com/wheel=fifth'] }];
  const id = await createContainer(daemon(), { HostConfig: { DeviceRequests } });
  const answer = await api().post(`/containers/${id}/start`);
  expect([answer.status, answer.json().message]).toEqual([
    500,
    expect.stringMatching(/CDI device injection failed: unresolvable CDI devices acme\.com\/wheel=fifth.*broken\.json/),
  ]);
  const { State, HostConfig } = (await api().get(`/containers/${id}/json`)).json();
  expect(State).toMatchObject({ Status: 'created', ExitCode: 128 });
  expect(HostConfig.DeviceRequests).toEqual([{ ...DeviceRequests[0], Count: 0, Capabilities: null, Options: null }]);
  await api().delete(`/containers/${id}`);
  const other = { Driver: 'nimbus', Capabilities: [['cloud']], Options: { a: 'b' } };
  await expect(startContainer(daemon(), { HostConfig: { DeviceRequests: [other] } })).rejects.toThrow(
    /400 .*could not select device driver .*nimbus.* with capabilities: \[\[cloud\]\]/,
  );
});

test('info tells where CDI files are looked for and what was found', async () => {
  const { CDISpecDirs, DiscoveredDevices } = (await api().get('/info')).json();
  expect(CDISpecDirs).toEqual(directories);
  expect(DiscoveredDevices).toEqual([
    { Source: 'cdi', ID: 'acme.com/wheel=left' },
    ...['0', '1', 'all'].map((name) => ({ Source: 'cdi', ID: `nvidia.com/gpu=${name}` })),
  ]);
});
