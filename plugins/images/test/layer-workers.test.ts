import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LayerWorkers } from '../unpack/layer-workers';

jest.setTimeout(30_000);

test('a thread that ends for want of work is not given any', async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'gantry-workers-'));
  const workers = new LayerWorkers(1, 1);
  const { signal } = new AbortController();
  fs.mkdirSync(join(folder, 'empty'));
  try {
    for (let n = 0; n < 12; n++) {
      await workers.copyTree({ stack: [join(folder, 'empty')], target: join(folder, `copy${n}`) }, signal);
      // About when the thread is told to end.
      await new Promise((resolve) => setTimeout(resolve, n % 4));
    }
    expect(fs.readdirSync(folder)).toHaveLength(13);
  } finally {
    await workers.close();
    fs.rmSync(folder, { recursive: true });
  }
});
