import type { EngineEvent, PublishedEvent } from '@gantry/sdk';
import { eventPlace, numberedEventJson, parseEventJson } from './event-json';

/** An event as readers get it: text that is ready to be sent, and what filters look at. */
export interface KeptEvent {
  readonly sequence: number;
  readonly timeNs: bigint;
  /** One line of JSON with the sequence number, without the newline. */
  readonly json: string;
  /** Its parts; parsed when first asked for if it comes from a file. */
  readonly event: EngineEvent;
}

export function keepEvent(event: PublishedEvent): KeptEvent {
  return { sequence: event.sequence, timeNs: event.timeNs, json: numberedEventJson(event), event };
}

/** A line of a segment file, or undefined when it is not an event: the header, or a damaged line. */
export function readEventLine(json: string): KeptEvent | undefined {
  const place = eventPlace(json);
  // A machine that lost power may leave zeroes where data was to be.
  if (place === undefined || json.charCodeAt(0) !== openingBrace || json.includes('\0')) return undefined;
  let parsed: EngineEvent | undefined;
  return {
    ...place,
    json,
    get event() {
      parsed ??= parseEventJson(json);
      return parsed;
    },
  };
}

const openingBrace = 0x7b;
