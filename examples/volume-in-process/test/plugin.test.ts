import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VolumeDriver } from '@gantry/sdk';
import { declareTests, volumeDriverSuite } from '@gantry/sdk/conformance';
import { plugin } from '../plugin';
import { openScratchVolumes } from '../scratch-volumes';

let folder: string;
let driver: VolumeDriver;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-scratch-'));
  driver = await openScratchVolumes(folder, 100);
});
afterAll(() => rm(folder, { recursive: true }));

const known = {
  options: { mode: '750' },
  refusedOptions: { colour: 'red' },
  reachable: true,
  keepsData: true,
  tellsKinds: true,
};
declareTests(test, volumeDriverSuite, () => ({ ...known, driver }));

test('a misspelt configuration key is refused with a suggestion', () => {
  expect(plugin.config?.parse({ maxVolume: 3 })).toMatchObject({
    ok: false,
    problems: [{ pointer: '/maxVolume', suggestion: 'maxVolumes' }],
  });
});

test('the limit of volumes holds', async () => {
  const small = await openScratchVolumes(join(folder, 'small'), 1);
  await small.create('one', {});
  await expect(small.create('two', {})).rejects.toMatchObject({ kind: 'unavailable' });
  await small.remove('one');
  await rm(join(folder, 'small'), { recursive: true });
});
