import { notImplemented } from '@gantry/sdk';
import type { Builder } from '../engine/builder';
import { fullReference } from '../engine/full-reference';
import { exportFiles, isFileExporter } from './file-exporters';
import type { SolveJob } from './solve-job';
import type { ExporterRequest } from './solve-request';
import { type OpenVertex, VertexProgress } from './vertex-progress';

/** What an export tells the client, by BuildKit's names. */
export type ExportResponse = Readonly<Record<string, string>>;

/**
 * Refuses what cannot be exported, before anything is built.
 *
 * @throws not-implemented    no such exporter here
 * @throws invalid-parameter  a name no image can have
 */
export function checkExporters(exporters: readonly ExporterRequest[], builder: Builder): void {
  for (const { type, attributes } of exporters) {
    if (isFileExporter(type)) continue;
    if (type !== 'moby' && type !== 'image')
      throw notImplemented(
        `exporter "${type}" could not be found: this daemon has moby, image (into its own store), local and tar`,
      );
    // Clients that ask for `moby` push by themselves.
    if (type === 'image' && attributes.push === 'true')
      throw notImplemented('exporter option "push" is not supported by this daemon: push the image after the build');
    for (const name of namesOf(attributes)) builder.images.checkTag(name);
  }
}

/** Puts the result where the client wants it. */
export async function exportResult(
  exporters: readonly ExporterRequest[],
  imageId: string,
  job: SolveJob,
  builder: Builder,
): Promise<ExportResponse> {
  const response: Record<string, string> = {};
  for (const [index, { type, attributes }] of exporters.entries()) {
    if (isFileExporter(type)) {
      await exportFiles(type, index, imageId, job, builder);
      continue;
    }
    const vertex = new VertexProgress(job.log, job.ref, () => 0).open('exporting to image', `export ${index}`);
    try {
      if ((await builder.images.resolve(imageId)).layers.length > 0) tell(vertex, 'exporting layers');
      tell(vertex, `writing image ${imageId}`);
      const names = namesOf(attributes);
      for (const name of names) {
        const task = vertex.task(`naming to ${fullName(name)}`);
        await builder.images.tag(imageId, name);
        task.done();
      }
      vertex.end();
      response['containerimage.config.digest'] = imageId;
      response['containerimage.digest'] = imageId;
      if (names.length > 0) response['image.name'] = names.map(fullName).join(',');
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }
  return response;
}

const tell = (vertex: OpenVertex, text: string) => vertex.task(text).done();

const namesOf = ({ name = '' }: Readonly<Record<string, string>>): string[] => name.split(',').filter(Boolean);

/** With its registry; the tag as it was given. */
const fullName = (name: string): string =>
  /:[^/]*$/.test(name) ? fullReference(name) : fullReference(name).replace(/:latest$/, '');
