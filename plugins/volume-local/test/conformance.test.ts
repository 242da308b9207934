import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger, VolumeDriver } from '@gantry/sdk';
import { connectVolumeDriver } from '@gantry/sdk/client';
import { connectJudgedPlugin, declareTests, type JudgedPlugin, volumeDriverSuite } from '@gantry/sdk/conformance';
import { serve } from '@gantry/sdk/serve';
import { openLocalVolumes } from '../local-volumes';
import { mountPoints } from '../mount-table';

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const known = { refusedOptions: { colour: 'red' }, reachable: true, tellsKinds: true };
let folder: string;
let driver: VolumeDriver;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-local-'));
  await mkdir(join(folder, 'source'));
  driver = await openLocalVolumes({ root: join(folder, 'volumes'), runDir: join(folder, 'run'), log });
});
afterAll(async () => {
  expect([...(await mountPoints())].filter((point) => point.startsWith(folder))).toEqual([]);
  await rm(folder, { recursive: true });
});

/** What a volume can be made of; what is mounted for each use does not keep what was written. */
const makings = [
  ['a directory', () => ({}), true],
  ['memory', () => ({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }), false],
  ['a bound directory', () => ({ type: 'none', device: join(folder, 'source'), o: 'bind' }), true],
] as const;

describe.each(makings)('volumes of %s', (_making, options, keepsData) => {
  describe('in process', () => {
    declareTests(
      test,
      volumeDriverSuite,
      () => ({ ...known, options: options(), keepsData, driver }),
      () => {},
    );
  });

  describe('over a socket', () => {
    let client: JudgedPlugin;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const socketPath = join(folder, 'local.sock');
      const served = await serve({ drivers: { volume: driver }, socketPath });
      close = () => served.close();
      client = connectJudgedPlugin({ name: 'local', address: socketPath });
    });
    afterAll(async () => {
      client.close();
      await close();
    });
    declareTests(
      test,
      volumeDriverSuite,
      () => ({ ...known, options: options(), keepsData, driver: connectVolumeDriver(client), client }),
      () => {},
    );
  });
});
