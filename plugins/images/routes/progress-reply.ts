import { PassThrough } from 'node:stream';
import { type ApiReply, type ApiRequest, reply, writeFully } from '@gantry/sdk';
import { ProgressWriter } from '../engine/progress';

/**
 * A reply of progress lines. What fails before the first line answers as an ordinary error with its status; what
 * fails later is the last line of the stream, as clients of dockerd expect.
 */
export async function progressReply(
  request: ApiRequest,
  work: (progress: ProgressWriter, signal: AbortSignal) => Promise<void>,
): Promise<ApiReply> {
  const lines = new PassThrough({ highWaterMark: 64 * 1024 });
  const progress = new ProgressWriter(lines);
  const began = new Promise<void>((resolve) => lines.once('readable', resolve));
  let begun = false;
  const done = work(progress, request.signal).then(
    () => lines.end(),
    (error) => {
      if (!begun) throw error;
      progress.fail(error);
      lines.end();
    },
  );
  // Handled: either awaited here, or turned into a line above.
  done.catch(() => {});
  await Promise.race([began.then(() => (begun = true)), done]);
  begun = true;
  return reply.stream(200, 'application/json', async (out) => {
    for await (const line of lines as AsyncIterable<Buffer>) await writeFully(out, line, request.signal);
    await done;
  });
}
