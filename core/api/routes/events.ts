import { hostname } from 'node:os';
import type { Writable } from 'node:stream';
import { type ApiRequest, type ApiRoute, invalidParameter, reply, writeFully } from '@gantry/sdk';
import { type EventFilters, eventMatches, parseEventFilters } from '../../events/event-filter';
import { eventJson } from '../../events/event-json';
import type { EventHistory } from '../../events/event-log';
import type { EventGap, ReadingStart } from '../../events/event-reader';
import type { CoreRouteDeps } from './core-routes';
import { parseTimestamp } from './timestamp';

interface Reading {
  readonly start: ReadingStart;
  readonly untilNs: bigint | undefined;
  readonly filters: EventFilters;
  /** Every event shows its sequence number. */
  readonly isNumbered: boolean;
  readonly engineId: string;
}

/** @see Docker Engine API, GET /events */
export function eventsRoute(deps: CoreRouteDeps): ApiRoute {
  return {
    method: 'GET',
    path: '/events',
    handle: (request) => {
      const reading = parseReading(request, deps);
      return reply.stream(200, 'application/json', (out, signal) => sendEvents(deps.events, reading, out, signal));
    },
  };
}

/** @throws invalid-parameter  a time, a filter or a sequence number cannot be read, or they contradict each other */
function parseReading({ query }: ApiRequest, { events, settings }: CoreRouteDeps): Reading {
  const since = query.get('since') ?? '';
  const until = query.get('until') ?? '';
  const sequence = query.get('sequence') ?? '';
  const sinceNs = parseTimestamp('since', since);
  const untilNs = parseTimestamp('until', until);
  if (untilNs !== undefined && sinceNs !== undefined && untilNs < sinceNs)
    throw invalidParameter(`\`since\` time (${since}) cannot be after \`until\` time (${until})`);
  const filters = parseEventFilters(query.get('filters'));
  const common = { untilNs, filters, engineId: settings.engineId };
  if (sequence !== '') {
    if (since !== '') throw invalidParameter('"since" and "sequence" cannot be used together: use one of them');
    return { ...common, start: { afterSequence: parseSequence(sequence, events.lastSequence) }, isNumbered: true };
  }
  // History is shown only to those who name a time.
  const start =
    sinceNs === undefined && untilNs === undefined
      ? { afterSequence: events.lastSequence }
      : { sinceNs: sinceNs ?? 0n };
  return { ...common, start, isNumbered: false };
}

function parseSequence(text: string, last: number): number {
  const sequence = Number(text);
  if (!/^\d{1,15}$/.test(text) || sequence > last)
    throw invalidParameter(
      `invalid value for "sequence": "${text}"; use the number of the last event seen, 0 to ${last} now`,
    );
  return sequence;
}

async function sendEvents(history: EventHistory, reading: Reading, out: Writable, signal: AbortSignal): Promise<void> {
  const { untilNs, filters, isNumbered } = reading;
  const end = untilNs === undefined ? undefined : deadlineAt(untilNs);
  const stop = end === undefined ? signal : AbortSignal.any([signal, end.signal]);
  const reader = history.reader(reading.start);
  const leave = history.listen();
  try {
    while (!signal.aborted) {
      const batch = await reader.next(stop);
      if (batch === undefined) return;
      if (batch.gap !== undefined) await writeFully(out, `${gapJson(batch.gap, reading)}\n`, signal);
      for (const event of batch.events) {
        if (untilNs !== undefined && event.timeNs > untilNs) return;
        if (filters.size > 0 && !eventMatches(event.event, filters)) continue;
        // One chunk of the body each: simple clients take a chunk for an event.
        await writeFully(out, `${isNumbered ? event.json : eventJson(event.json)}\n`, signal);
      }
    }
  } finally {
    leave();
    end?.clear();
  }
}

/**
 * Tells that events are missing, whatever the filters: an event of the daemon with the action `gap`. Attributes:
 * `first` and `last` are sequence numbers, `missed` counts; without `first` it is not known where the gap begins.
 */
function gapJson({ first, last }: EventGap, { engineId, isNumbered }: Reading): string {
  const timeMs = Date.now();
  const known = first === undefined ? {} : { first: String(first), missed: String(last - first + 1) };
  const text = JSON.stringify({
    Type: 'daemon',
    Action: 'gap',
    Actor: { ID: engineId, Attributes: { ...known, last: String(last), name: hostname() } },
    scope: 'local',
    time: Math.floor(timeMs / 1000),
  });
  // The number of the last missing event: going on after it is right.
  const sequence = isNumbered ? `,"sequence":${last}` : '';
  return `${text.slice(0, -1)},"timeNano":${timeMs}000000${sequence}}`;
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
