import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startTestDaemon } from '@gantry/sdk/testing';

const example = resolve(__dirname, '../../examples/volume-in-process');

test('an author tries a plugin on a daemon of its own with one call', async () => {
  const daemon = await startTestDaemon({
    config: { plugins: { 'scratch-volumes': { module: example, config: { maxVolumes: 1 } } } },
  });
  try {
    expect(await daemon.api('POST', '/volumes/create', { Name: 'one', Driver: 'scratch' })).toMatchObject({
      status: 201,
      body: { Driver: 'scratch', Mountpoint: join(daemon.dataRoot, 'scratch-volumes/one') },
    });
    expect(await daemon.api('POST', '/volumes/create', { Name: 'two', Driver: 'scratch' })).toMatchObject({
      status: 503,
      body: { message: 'create two: there are 1 scratch volumes already' },
    });
    expect(await daemon.log()).toContain('scratch volumes are ready');
  } finally {
    await daemon.close();
  }
  expect(existsSync(daemon.dataRoot)).toBe(false);
});

test('a daemon that does not start gives its reason', async () => {
  await expect(startTestDaemon({ config: { plugins: { lost: { module: './lost.js' } } } })).rejects.toThrow(
    /did not start: it ended[\s\S]*cannot find the module/,
  );
});
