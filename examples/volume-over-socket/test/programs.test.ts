import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectVolumeDriver } from '@gantry/sdk/client';
import { connectJudgedPlugin, declareTests, type JudgedPlugin, volumeDriverSuite } from '@gantry/sdk/conformance';
import { serve } from '@gantry/sdk/serve';
import { openShelfVolumes } from '../shelf-volumes';

const known = { refusedOptions: { colour: 'red' }, reachable: true, keepsData: true };

let folder: string;
let socketPath: string;
let client: JudgedPlugin;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-shelf-'));
  socketPath = join(folder, 'shelf.sock');
  client = connectJudgedPlugin({ name: 'shelf', address: socketPath });
});
afterAll(async () => {
  client.close();
  await rm(folder, { recursive: true });
});

describe('in process', () => {
  declareTests(test, volumeDriverSuite, async () => ({
    ...known,
    driver: await openShelfVolumes(join(folder, 'in-process')),
    tellsKinds: true,
  }));
});

describe('served with the SDK', () => {
  let close: () => Promise<void>;
  beforeAll(async () => {
    const served = await serve({ drivers: { volume: await openShelfVolumes(join(folder, 'sdk')) }, socketPath });
    close = () => served.close();
  });
  afterAll(() => close());
  declareTests(test, volumeDriverSuite, () => ({
    ...known,
    driver: connectVolumeDriver(client),
    client,
    tellsKinds: true,
  }));
});

describe('served by Python', () => {
  let program: ChildProcess;
  const start = async () => {
    const script = resolve(__dirname, '../python/shelf_volumes.py');
    program = spawn('python3', [script, socketPath, join(folder, 'python')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(program.stdout!, 'data');
  };
  const end = async () => {
    program.kill('SIGKILL');
    await once(program, 'exit');
  };
  beforeAll(start);
  afterAll(end);
  declareTests(test, volumeDriverSuite, () => ({
    ...known,
    driver: connectVolumeDriver(client),
    client,
    tellsKinds: false,
  }));

  test('volumes and mounts are still there after the program was killed and started again', async () => {
    const driver = connectVolumeDriver(client);
    await driver.create('books', {});
    const path = await driver.mount('books', 'a'.repeat(64));
    await end();
    await start();
    expect(await driver.path('books')).toBe(path);
    await expect(driver.remove('books')).rejects.toThrow('shelf books is mounted');
    await driver.unmount('books', 'a'.repeat(64));
    await driver.remove('books');
  });
});
