import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anonymous } from '../registry/credentials';
import { Downloads } from '../registry/downloads';
import { Registries } from '../registry/registries';
import { TransferThread } from '../transfer/transfer-thread';
import { type FakeRegistry, startFakeRegistry } from './support/fake-registry';
import { configOf, digestOf } from './support/image-archive';
import { silent } from './support/image-plugin';

jest.setTimeout(30_000);

const content = randomBytes(300_000);
const blob = { digest: digestOf(content), size: content.length };
const half = Math.floor(blob.size / 2);
const direct = { httpProxy: '', httpsProxy: '', noProxy: '' };
const settings = { insecureRegistries: [], registryMirrors: [], registryMirrorPrefixes: {}, proxies: direct };
const transfers = new TransferThread();
let folder: string;
let registry: FakeRegistry;
beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-silent-'));
  registry = await startFakeRegistry();
});
afterEach(async () => {
  await registry.close();
  fs.rmSync(folder, { recursive: true });
});
afterAll(() => transfers.close());

/** With an eye of a fifth of a second on it, instead of a minute. */
const download = async (attempts: number) => {
  registry.put('app', 'v1', configOf([content]), [content]);
  const { signal } = new AbortController();
  const registries = new Registries(settings, silent, join(folder, 'certs.d'), transfers, { silenceMs: 200 });
  const access = { domain: registry.host, path: 'app', credentials: anonymous, actions: 'pull' as const };
  try {
    const { client } = await registries.connect(access, (found) => found.headManifest('v1', signal), signal);
    const downloads = await Downloads.open(join(folder, 'downloads'), 1, attempts);
    const { path } = await downloads.get(blob, client.receiveBlob.bind(client), {}, signal);
    return fs.readFileSync(path);
  } finally {
    await registries.close();
  }
};
const beginOnly = (_: unknown, response: ServerResponse) => {
  response.writeHead(200, { 'Content-Length': blob.size });
  return response.write(content.subarray(0, half)) || true;
};

test('a registry that falls silent is asked for the rest', async () => {
  let ranges = 0;
  registry.onBlob = (request, response) => {
    if (request.headers.range !== undefined) return ++ranges < 0;
    return beginOnly(request, response);
  };
  expect((await download(3)).equals(content)).toBe(true);
  expect(ranges).toBeGreaterThan(0);
});

test('a registry that stays silent fails the download with its name and how long it was silent', async () => {
  registry.onBlob = (request, response) => {
    if (request.headers.range === undefined) return beginOnly(request, response);
    response.writeHead(206, { 'Content-Length': blob.size - half });
    response.flushHeaders();
    return true;
  };
  await expect(download(1)).rejects.toThrow(
    `cannot download ${blob.digest}: nothing came from ${registry.host} for 0.2 s`,
  );
});
