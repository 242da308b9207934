const { EventEmitter, once } = require('node:events');
const { appendFile, mkdir, readFile } = require('node:fs/promises');
const { join } = require('node:path');
const { invalidParameter } = require('@gantry/sdk');

/**
 * The log of each container in a file below `root`, a JSON array for each line.
 *
 * @param {string} root
 * @returns {Promise<import('@gantry/sdk').LogDriver>}
 */
exports.openDriver = async (root) => {
  await mkdir(root, { recursive: true });
  /** @param {string} id */
  const fileOf = (id) => join(root, `${id}.jsonl`);
  const running = new Map();
  return {
    validate(options) {
      for (const option of Object.keys(options)) throw invalidParameter(`unknown log opt '${option}'`);
    },
    async open({ containerId }) {
      const news = new EventEmitter().setMaxListeners(0);
      running.set(containerId, news);
      return {
        async write({ source, timeNs, data, partial }) {
          const lines = partial
            ? [data.toString('latin1')]
            : (data.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? []);
          const notes = lines.map((line) => `${JSON.stringify([source, String(timeNs), line])}\n`);
          await appendFile(fileOf(containerId), notes.join(''));
          news.emit('news');
        },
        flush: async () => {},
        async close() {
          if (running.get(containerId) === news) running.delete(containerId);
          news.emit('news');
        },
      };
    },
    async *read({ containerId }, { tail, sinceNs = 0n, untilNs, follow }, signal) {
      const news = running.get(containerId);
      for (let read = 0, first = true; ; first = false) {
        const over = running.get(containerId) !== news || news === undefined;
        const all = (await readFile(fileOf(containerId), 'utf8')).split('\n').slice(0, -1);
        let entries = all.slice(read).map((note) => {
          const [source, time, line] = JSON.parse(note);
          return { source, timeNs: BigInt(time), line: Buffer.from(line, 'latin1') };
        });
        read = all.length;
        entries = entries.filter(({ timeNs: at }) => at >= sinceNs && (untilNs === undefined || at <= untilNs));
        if (first && tail !== undefined) entries = entries.slice(Math.max(0, entries.length - tail));
        if (entries.length > 0) yield entries;
        if (!follow || over || signal.aborted) return;
        // A line that is written just now is found a moment later.
        const soon = AbortSignal.any([signal, AbortSignal.timeout(250)]);
        await once(news, 'news', { signal: soon }).catch(() => undefined);
      }
    },
  };
};
