import { PassThrough } from 'node:stream';
import { type ApiReply, type ApiRequest, reply } from '../contracts/api-routes';
import { errorMessage } from '../errors';
import { type ProgressMessage, progressLine } from './progress';
import { writeFully } from './write';

/** Where progress goes. */
export interface ProgressStream {
  /** Never waits: lines are small. */
  send(message: ProgressMessage): void;
  /** The client does not keep up: what only moves a bar may be left out. */
  readonly isSlow: boolean;
}

/**
 * A reply of progress lines. What fails before the first line answers as an ordinary error with its status; what
 * fails later is the last line of the stream, as clients of dockerd expect.
 */
export async function progressReply(
  request: Pick<ApiRequest, 'signal'>,
  work: (progress: ProgressStream, signal: AbortSignal) => Promise<void>,
  headers?: Readonly<Record<string, string>>,
): Promise<ApiReply> {
  const lines = new PassThrough({ highWaterMark: 64 * 1024 });
  let begun = false;
  const progress: ProgressStream = {
    send(message) {
      begun = true;
      if (lines.writable) lines.write(progressLine(message));
    },
    get isSlow() {
      return lines.writableNeedDrain;
    },
  };
  const began = new Promise<void>((resolve) => lines.once('readable', resolve));
  const done = work(progress, request.signal).then(
    () => void lines.end(),
    (error) => {
      if (!begun) throw error;
      const message = errorMessage(error);
      progress.send({ errorDetail: { message }, error: message });
      lines.end();
    },
  );
  // Handled: either awaited here, or turned into a line above.
  done.catch(() => {});
  await Promise.race([began, done]);
  begun = true;
  const run: Parameters<typeof reply.stream>[2] = async (out) => {
    for await (const line of lines as AsyncIterable<Buffer>) await writeFully(out, line, request.signal);
    await done;
  };
  return reply.stream(200, 'application/json', run, headers);
}
