import { link, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceVolumeDriver } from '../../conformance';
import { serve } from '..';

let folder: string;
let socketPath: string;
const drivers = { volume: referenceVolumeDriver() };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-serve-'));
  socketPath = join(folder, 'plugin.sock');
});
afterEach(() => rm(folder, { recursive: true }));

test('the socket is for owner and group only, and goes with the server', async () => {
  const served = await serve({ drivers, socketPath });
  expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
  await served.close();
  expect(await readdir(folder)).toEqual([]);
});

test('a live socket and a file that is no socket are refused, a stale socket is replaced', async () => {
  const served = await serve({ drivers, socketPath });
  await expect(serve({ drivers, socketPath })).rejects.toMatchObject({ kind: 'conflict' });
  await served.close();
  await writeFile(socketPath, 'precious');
  await expect(serve({ drivers, socketPath })).rejects.toThrow('is not a socket');
  await rm(socketPath);
  const dead = createServer();
  await new Promise<void>((done) => dead.listen(join(folder, 'other.sock'), done));
  await link(join(folder, 'other.sock'), socketPath);
  await new Promise((done) => dead.close(done));
  await (await serve({ drivers, socketPath })).close();
});
