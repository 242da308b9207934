import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPlugin, connectVolumeDriver, type PluginClient } from '../../client';
import { type ServedPlugin, serve } from '../../serve';
import { declareTests, referenceVolumeDriver, runSuite, volumeDriverSuite } from '..';

const known = { refusedOptions: { colour: 'red' }, reachable: false, keepsData: true, tellsKinds: true };

describe('the reference volume driver in process', () => {
  const driver = referenceVolumeDriver();
  declareTests(
    test,
    volumeDriverSuite,
    () => ({ ...known, driver }),
    () => {},
  );
});

describe('the reference volume driver over a socket', () => {
  let folder: string;
  let served: ServedPlugin;
  let client: PluginClient;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-conformance-'));
    served = await serve({ drivers: { volume: referenceVolumeDriver() }, socketPath: join(folder, 'reference.sock') });
    client = connectPlugin({ name: 'reference', address: served.address });
  });
  afterAll(async () => {
    client.close();
    await served.close();
    await rm(folder, { recursive: true });
  });
  declareTests(
    test,
    volumeDriverSuite,
    () => ({ ...known, driver: connectVolumeDriver(client), client }),
    () => {},
  );
});

describe('the suite finds faults', () => {
  const mutants = {
    'volume.get.absent': (d) => ({ ...d, get: async (name) => ({ name, mountpoint: '' }) }),
    'volume.list': (d) => ({ ...d, list: async () => [] }),
    'volume.mount.twice': (d) => {
      const counts = new Map<string, number>();
      return {
        ...d,
        mount: async (name, id) => {
          counts.set(name, (counts.get(name) ?? 0) + 1);
          return d.mount(name, id);
        },
        unmount: async (name, id) => {
          counts.set(name, (counts.get(name) ?? 1) - 1);
          if (counts.get(name) === 0) await d.unmount(name, id);
        },
      };
    },
    'volume.mount.counted': (d) => {
      const ids = new Map<string, Set<string>>();
      return {
        ...d,
        mount: async (name, id) => {
          ids.set(name, (ids.get(name) ?? new Set()).add(id));
          return d.mount(name, id);
        },
        unmount: async (name) => {
          for (const id of ids.get(name) ?? []) await d.unmount(name, id);
        },
      };
    },
    'volume.create.refused-option': (d) => ({ ...d, create: (name) => d.create(name, {}) }),
    'volume.mount.path': (d) => ({ ...d, path: async () => '/elsewhere' }),
  } as Record<string, (driver: ReturnType<typeof referenceVolumeDriver>) => ReturnType<typeof referenceVolumeDriver>>;

  test.each(Object.keys(mutants))('a driver that breaks %s is found out', async (id) => {
    const driver = mutants[id]!(referenceVolumeDriver());
    const failed = (await runSuite(volumeDriverSuite, { ...known, driver })).filter((r) => r.outcome === 'failed');
    expect(failed.map((result) => result.id)).toContain(id);
  });
});
