import { encodeTarHeader, tarPadding, tarTrailer } from '@gantry/sdk/tar';
import type { CopyItem } from '../copy/select-files';
import type { Builder } from '../engine/builder';
import { openImageFiles } from '../engine/image-files';
import { piecesOf, sendDirectory, sendFile } from '../session/file-send';
import type { SolveJob } from './solve-job';
import { VertexProgress } from './vertex-progress';

/** Exporters that give the client the files of the result, rather than an image. */
export const isFileExporter = (type: string): type is 'local' | 'tar' => type === 'local' || type === 'tar';

const words = {
  local: { step: 'exporting to client directory', task: 'copying files' },
  tar: { step: 'exporting to client tarball', task: 'sending tarball' },
} as const;

/**
 * Sends the files of an image to the client.
 *
 * @param exporter its place among the exporters of the build
 * @throws system  the client cannot take them
 */
export async function exportFiles(
  type: 'local' | 'tar',
  exporter: number,
  imageId: string,
  job: SolveJob,
  builder: Builder,
): Promise<void> {
  const vertex = new VertexProgress(job.log, job.ref, () => 0).open(words[type].step, `export ${exporter}`);
  try {
    const session = await builder.sessions.get(job.session, job.signal);
    const task = vertex.task(words[type].task);
    const target = { session, exporter, onBytes: (total: number) => task.at(total), signal: job.signal };
    const files = await openImageFiles(imageId, builder);
    try {
      if (type === 'local') await sendDirectory(files.items, target);
      else await sendFile(tarOf(files.items), target);
    } finally {
      await files.close();
    }
    task.done();
    vertex.end();
  } catch (error) {
    vertex.end(error);
    throw error;
  }
}

async function* tarOf(items: readonly CopyItem[]): AsyncGenerator<Buffer> {
  for (const { path, entry } of items) {
    if (path === '') continue;
    const { type, device, ...rest } = entry;
    yield encodeTarHeader({
      ...rest,
      type,
      name: path,
      deviceMajor: device?.major ?? 0,
      deviceMinor: device?.minor ?? 0,
    });
    if (type !== 'file') continue;
    yield* piecesOf(entry);
    yield tarPadding(entry.size);
  }
  yield tarTrailer();
}
