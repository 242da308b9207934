import { open, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { formatTimeNs, invalidParameter, systemError, wallClockNs } from '@gantry/sdk';
import { sortedMap } from '@gantry/sdk/wire';
import type { Reference } from '../reference/reference';
import { HttpClient, httpOptions } from '../registry/http';
import { hostPlatform, type Platform } from '../registry/platform';
import { dockerJson, wholeContainerConfig } from '../store/container-config';
import { digestOfLayer } from '../store/layer-digest';
import { publishImageEvent } from './image-events';
import { applyChanges } from './import-changes';
import type { ProgressWriter } from './progress';
import type { Stores } from './stores';
import { tagImage } from './tag';

export interface ImportRequest {
  /** `-` = the request's body, otherwise a URL. */
  readonly source: string;
  readonly tag: Reference | undefined;
  readonly message: string;
  readonly changes: readonly string[];
  readonly platform: Platform | undefined;
}

/**
 * Makes an image of one layer from a plain, gzip or zstd tar of a root file system.
 *
 * @throws invalid-parameter  a bad change, URL or archive
 */
export async function importImage(
  request: ImportRequest,
  body: Readable,
  stores: Stores,
  progress: ProgressWriter,
  signal: AbortSignal,
): Promise<void> {
  const config = applyChanges({}, request.changes);
  const path = stores.scratch.path('import');
  try {
    const source = request.source === '-' ? body : await openUrl(request.source, stores, progress, signal);
    // Opened here and not by the stream: a stream that fails early would make the file after it was removed.
    const target = await open(path, 'wx', 0o600);
    try {
      await pipeline(source, target.createWriteStream({ highWaterMark: 1 << 20 }), { signal });
    } finally {
      await target.close();
    }
    const range = { path, offset: 0, length: (await stat(path)).size };
    const diffId = await digestOfLayer(range, signal);
    const layer = { diffId, chainId: diffId, parent: undefined, open: async () => range };
    const top = await stores.layers.ensure([layer], signal);
    const created = formatTimeNs(wallClockNs());
    const { os, architecture, variant } = request.platform ?? hostPlatform();
    const comment = request.message || `Imported from ${request.source}`;
    const file = sortedMap({
      architecture,
      ...(variant === undefined ? {} : { variant }),
      os,
      config: wholeContainerConfig(config),
      container_config: wholeContainerConfig({}),
      docker_version: stores.settings.engineVersion,
      created,
      comment,
      history: [{ created, comment }],
      rootfs: { type: 'layers', diff_ids: [diffId] },
    });
    try {
      const image = await stores.change(async () => {
        const added = await stores.images.add(dockerJson(file));
        if (request.tag !== undefined) await tagImage(added, request.tag, stores);
        return added;
      });
      publishImageEvent(stores, 'import', image.id, image.id, image);
      progress.send({ status: image.id });
    } finally {
      if (top !== undefined) await stores.layers.release(top);
    }
  } finally {
    await rm(path, { force: true });
  }
}

async function openUrl(
  source: string,
  stores: Stores,
  progress: ProgressWriter,
  signal: AbortSignal,
): Promise<Readable> {
  const text = /^https?:\/\//.test(source) ? source : `http://${source}`;
  if (!URL.canParse(text)) throw invalidParameter(`invalid import URL "${source}"`);
  const client = new HttpClient(httpOptions({ rejectUnauthorized: true }, stores.settings.proxies));
  const response = await client.request({ method: 'GET', url: new URL(text), signal });
  if (response.statusCode !== 200) {
    response.destroy();
    client.close();
    throw systemError(`cannot download ${source}: status ${response.statusCode}`);
  }
  progress.send({ status: `Downloading from ${source}` });
  const total = Number(response.headers['content-length'] ?? 0);
  let current = 0;
  response.on('data', (chunk: Buffer) => {
    current += chunk.length;
    progress.bar('', 'Downloading', current, total);
  });
  response.once('close', () => client.close());
  return response;
}
