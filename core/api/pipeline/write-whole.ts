import type { ServerResponse } from 'node:http';

/** What Node's server keeps of an answer. */
interface AnswerState {
  _header: string | null;
  _headerSent: boolean;
  finished: boolean;
  readonly outputData: readonly unknown[];
  _finish?(): void;
}

const copiedBytes = 16 * 1024;
let waiting: (() => void)[] = [];

/**
 * Gives the connection an answer in one piece. `end` writes at least two, the last one empty. Answers to what arrived
 * together go out together, at the end of the event loop's turn: waking a client that waits is most of the work of a
 * small answer, and many answers wake it once.
 *
 * @param head  start line and headers, ASCII, up to the empty line
 * @returns false, and has done nothing, when it cannot: an earlier answer on the connection is unfinished, or this
 *          version of Node keeps its state otherwise
 */
export function writeWhole(response: ServerResponse, head: string, body: string | Buffer): boolean {
  const state = response as unknown as AnswerState;
  if (response.socket === null || state._header !== null || state.finished !== false) return false;
  if (state.outputData.length > 0 || typeof state._finish !== 'function') return false;
  state._header = head;
  state._headerSent = true;
  if (waiting.length === 0) setImmediate(writeWaiting);
  waiting.push(() => write(response, head, body));
  return true;
}

function writeWaiting(): void {
  const now = waiting;
  waiting = [];
  for (const each of now) each();
}

function write(response: ServerResponse, head: string, body: string | Buffer): void {
  const { socket } = response;
  if (socket === null || response.destroyed) return;
  const state = response as unknown as Required<AnswerState>;
  // Only now: a connection whose answer is finished counts as idle, and idle ones are closed when the daemon stops.
  state.finished = true;
  state._finish();
  const done = (error?: Error | null) => {
    if (!error) response.emit('finish');
  };
  if (typeof body === 'string') {
    const isAscii = Buffer.byteLength(body) === body.length;
    socket.write(head + body, isAscii ? 'latin1' : 'utf8', done);
  } else if (body.length <= copiedBytes) {
    const whole = Buffer.allocUnsafe(head.length + body.length);
    whole.write(head, 'latin1');
    body.copy(whole, head.length);
    socket.write(whole, done);
  } else {
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body, done);
    socket.uncork();
  }
}
