import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { errorMessage } from '@gantry/sdk';
import { MessageReader } from './grpc-messages';
import { readFields } from './protobuf';

/** The call by which BuildKit sends an exported archive. */
export const sendFilesPath = '/moby.filesync.v1.FileSend/DiffCopy';

/** Serves one such call: the archive goes to `load`, and BuildKit hears when that is done. */
export function receiveImage(
  stream: ServerHttp2Stream,
  load: (archive: Readable, signal: AbortSignal) => Promise<unknown>,
): void {
  const gone = new AbortController();
  stream.on('close', () => gone.abort());
  let result: Record<string, string> = { 'grpc-status': '0' };
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(result));
  load(Readable.from(contents(stream), { objectMode: false }), gone.signal)
    .catch((error: unknown) => {
      const message = `the image could not be loaded: ${errorMessage(error)}`;
      result = { 'grpc-status': '2', 'grpc-message': encodeURIComponent(message) };
    })
    .finally(() => stream.end());
}

async function* contents(stream: ServerHttp2Stream): AsyncGenerator<Buffer> {
  const reader = new MessageReader();
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
    for (const message of reader.push(chunk))
      for (const { number, bytes } of readFields(message)) if (number === 1 && bytes !== undefined) yield bytes;
}
