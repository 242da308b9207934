import type { Writable } from 'node:stream';
import { type ApiRoute, invalidParameter, reply, systemError, writeFully } from '@gantry/sdk';
import { type EventFilters, eventMatches, parseEventFilters } from '../../events/event-filter';
import { eventJson } from '../../events/event-json';
import type { EventHistory } from '../../events/event-log';
import type { CoreRouteDeps } from './core-routes';
import { parseTimestamp } from './timestamp';

interface Reading {
  /** Sequence number before the first event to show. */
  readonly from: number;
  readonly untilNs: bigint | undefined;
  readonly filters: EventFilters;
}

/** @see Docker Engine API, GET /events */
export function eventsRoute(deps: CoreRouteDeps): ApiRoute {
  return {
    method: 'GET',
    path: '/events',
    handle: (request) => {
      const since = request.query.get('since') ?? '';
      const until = request.query.get('until') ?? '';
      const sinceNs = parseTimestamp('since', since);
      const untilNs = parseTimestamp('until', until);
      if (untilNs !== undefined && sinceNs !== undefined && untilNs < sinceNs)
        throw invalidParameter(`\`since\` time (${since}) cannot be after \`until\` time (${until})`);
      const filters = parseEventFilters(request.query.get('filters'));
      const { events } = deps;
      // History is shown only to those who name a time.
      const from =
        sinceNs === undefined && untilNs === undefined ? events.lastSequence : events.sequenceBefore(sinceNs ?? 0n);
      return reply.stream(200, 'application/json', (out, signal) =>
        sendEvents(events, { from, untilNs, filters }, out, signal),
      );
    },
  };
}

async function sendEvents(events: EventHistory, reading: Reading, out: Writable, signal: AbortSignal): Promise<void> {
  const { untilNs, filters } = reading;
  const end = untilNs === undefined ? undefined : deadlineAt(untilNs);
  const stop = end === undefined ? signal : AbortSignal.any([signal, end.signal]);
  let wake = () => {};
  const onChange = () => wake();
  const unsubscribe = events.onPublished(onChange);
  stop.addEventListener('abort', onChange);
  try {
    let position = reading.from;
    while (!signal.aborted) {
      const batch = events.after(position);
      // The connection is cut: a reader must not believe that it has seen everything.
      if (batch.missed > 0) throw systemError(`a reader of events was too slow and missed ${batch.missed} of them`);
      for (const event of batch.events) {
        position = event.sequence;
        if (untilNs !== undefined && event.timeNs > untilNs) return;
        if (eventMatches(event, filters)) await writeFully(out, `${eventJson(event)}\n`, signal);
      }
      if (batch.events.length > 0) continue;
      if (stop.aborted) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unsubscribe();
    stop.removeEventListener('abort', onChange);
    end?.clear();
  }
}

/** A signal that aborts at this wall time; at once when it has passed. */
function deadlineAt(timeNs: bigint): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const arm = () => {
    const restMs = Number(timeNs / 1_000_000n) - Date.now();
    if (restMs <= 0) controller.abort();
    // Timers hold 31 bits of milliseconds; the last one fires once the time has come.
    else timer = setTimeout(arm, Math.min(restMs, 0x7fffffff));
  };
  arm();
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
