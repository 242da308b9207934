// Requests per second over kept connections, parsed just far enough to know where an answer ends.
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

/** @returns answers per second with `connections` clients, each with one request at a time */
export function requestRate(socketPath, path, { connections = 8, ms = 2000 } = {}) {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: docker\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let answers = 0;
    let open = connections;
    const startedAt = performance.now();
    const until = startedAt + ms;
    for (let i = 0; i < connections; i++) {
      const socket = connect(socketPath, () => socket.write(request));
      const reader = new AnswerReader();
      socket.on('error', reject);
      socket.on('data', (data) => {
        try {
          if (!reader.take(data)) return;
        } catch (error) {
          socket.destroy();
          reject(error);
          return;
        }
        answers++;
        if (performance.now() < until) socket.write(request);
        else {
          socket.end();
          if (--open === 0) resolve((answers * 1000) / (performance.now() - startedAt));
        }
      });
    }
  });
}

class AnswerReader {
  #pending = Buffer.alloc(0);

  /** @returns whether the answer is complete; the next one starts afresh */
  take(data) {
    this.#pending = this.#pending.length ? Buffer.concat([this.#pending, data]) : data;
    const end = this.#pending.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = this.#pending.latin1Slice(0, end);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`the engine answers ${head.split('\r\n')[0]}`);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    const complete = length
      ? this.#pending.length >= end + 4 + Number(length[1])
      : this.#pending.subarray(-7).latin1Slice().endsWith('\r\n0\r\n\r\n');
    if (complete) this.#pending = Buffer.alloc(0);
    return complete;
  }
}
