import { join, resolve } from 'node:path';
import { referenceVolumeDriver } from '@gantry/sdk/conformance';
import { type ServedPlugin, serve } from '@gantry/sdk/serve';
import { startTestDaemon, type TestDaemon, temporaryDirectory } from '@gantry/sdk/testing';

const failing = resolve(__dirname, '../../examples/failing');
let daemon: TestDaemon | undefined;
afterEach(async () => {
  await daemon?.close();
  daemon = undefined;
});

async function volumeDrivers(): Promise<string[]> {
  return (await daemon!.api('GET', '/info')).body.Plugins.Volume;
}

test('optional plugins that cannot be used are skipped with their reasons, and the rest serves', async () => {
  daemon = await startTestDaemon({
    config: {
      plugins: {
        'acme-nfs': { module: '@acme/no-such-package', optional: true },
        lonely: { module: join(failing, 'missing-need/lonely.js'), optional: true },
        grumpy: { module: join(failing, 'throws-at-import/grumpy.js'), optional: true },
        'never-there': { socket: '/nonexistent/never.sock', optional: true },
      },
    },
  });
  const log = (await daemon.log()).replaceAll('\\"', '"');
  expect(log).toContain('cannot find the module "@acme/no-such-package"');
  expect(log).toContain('no plugin provides that');
  expect(log).toContain('not today');
  expect(await volumeDrivers()).toEqual(['local']);
  expect(await daemon.api('POST', '/volumes/create', { Name: 'data' })).toMatchObject({ status: 201 });
  expect(await daemon.api('POST', '/volumes/create', { Name: 'x', Driver: 'acme-nfs' })).toMatchObject({ status: 404 });
});

test('a bundled plugin that is switched off is gone, and nothing else is', async () => {
  daemon = await startTestDaemon({ config: { plugins: { 'volume-local': false } } });
  expect(await volumeDrivers()).toEqual([]);
  expect(await daemon.api('POST', '/volumes/create', { Name: 'data' })).toMatchObject({
    status: 404,
    body: { message: 'create data: error looking up volume plugin local: plugin "local" not found' },
  });
  expect((await daemon.api('GET', '/containers/json')).status).toBe(200);
});

test('a plugin whose socket appears while the daemon runs is used at its first mention', async () => {
  const folder = await temporaryDirectory();
  let served: ServedPlugin | undefined;
  try {
    const socket = join(folder.path, 'late.sock');
    daemon = await startTestDaemon({ config: { plugins: { late: { socket, optional: true } } } });
    served = await serve({ drivers: { volume: referenceVolumeDriver() }, socketPath: socket });
    expect(await daemon.api('POST', '/volumes/create', { Name: 'x', Driver: 'late' })).toMatchObject({
      status: 201,
      body: { Driver: 'late', Mountpoint: '/reference-volumes/x' },
    });
    expect(await volumeDrivers()).toEqual(['late', 'local']);
  } finally {
    await served?.close();
    await folder.close();
  }
});
