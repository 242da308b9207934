import { EventEmitter, once } from 'node:events';
import type { LogBatch, LogDriver, LogEntry } from '../contracts/log-driver';
import { invalidParameter, notFound } from '../errors';

/** The smallest driver that keeps every rule. It remembers what it is told until its process ends. */
export function referenceLogDriver(): LogDriver {
  const logs = new Map<string, { entries: LogEntry[]; writers: number; news: EventEmitter }>();
  return {
    validate(options) {
      for (const option of Object.keys(options)) throw invalidParameter(`unknown log opt '${option}'`);
    },
    async open({ containerId }) {
      const log = logs.get(containerId) ?? { entries: [], writers: 0, news: new EventEmitter().setMaxListeners(0) };
      logs.set(containerId, log);
      log.writers++;
      return {
        write(batch) {
          log.entries.push(...entriesOf(batch));
          log.news.emit('news');
        },
        async flush() {},
        async close() {
          log.writers--;
          log.news.emit('news');
        },
      };
    },
    async *read({ containerId }, { tail, sinceNs = 0n, untilNs, follow }, signal) {
      const log = logs.get(containerId);
      if (log === undefined) throw notFound(`there is no log of container ${containerId}`);
      const wanted = ({ timeNs }: LogEntry) => timeNs >= sinceNs && (untilNs === undefined || timeNs <= untilNs);
      let at = 0;
      let first = log.entries.filter(wanted);
      if (tail !== undefined) first = first.slice(Math.max(0, first.length - tail));
      at = log.entries.length;
      if (first.length > 0) yield first;
      while (follow && !signal.aborted) {
        const more = log.entries.slice(at).filter(wanted);
        at = log.entries.length;
        if (more.length > 0) yield more;
        else if (log.writers === 0) return;
        else await once(log.news, 'news', { signal }).catch(() => undefined);
      }
    },
  };
}

const newline = 10;

function entriesOf({ source, timeNs, data, partial }: LogBatch): LogEntry[] {
  if (partial !== undefined) return [{ source, timeNs, line: data }];
  const entries: LogEntry[] = [];
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(newline, at);
    const next = end < 0 ? data.length : end + 1;
    entries.push({ source, timeNs, line: data.subarray(at, next) });
    at = next;
  }
  return entries;
}
