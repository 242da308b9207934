import type { Readable } from 'node:stream';

/** Resolves when nothing more comes from the stream, also when that was so before anybody listened. */
export function streamEnd(stream: Readable | undefined): Promise<void> {
  if (stream === undefined || stream.readableEnded || stream.closed || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stream
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
  });
}

/** How long output may stand still after the exit of its process before we stop waiting for its end. */
const STILL_MS = 2_000;

/** Waits for `done` for as long as something moves: a slow reader must not lose the rest. */
export async function waitWhileMoving(done: Promise<unknown>, moved: () => number): Promise<void> {
  let finished = false;
  const marked = done.then(() => {
    finished = true;
  });
  for (let before: number | undefined; !finished && moved() !== before; ) {
    before = moved();
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STILL_MS);
    });
    await Promise.race([marked, pause]);
    clearTimeout(timer);
  }
}
