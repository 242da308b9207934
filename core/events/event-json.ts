import type { EngineEvent, EventType, PublishedEvent } from '@gantry/sdk';

/**
 * An event in the form of the API, with the fields of older clients for containers and images, and its sequence
 * number at the end. `timeNano` is beyond what a JavaScript number holds, so its digits are put into the text.
 *
 * @see Docker Engine API, EventMessage
 */
export function numberedEventJson(event: PublishedEvent): string {
  const { type, action, actor } = event;
  const legacy =
    type === 'container'
      ? { status: action, id: actor.id, from: actor.attributes.image || undefined }
      : type === 'image'
        ? { status: action, id: actor.id }
        : {};
  const text = JSON.stringify({
    ...legacy,
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: event.scope ?? 'local',
    time: Number(event.timeNs / 1_000_000_000n),
  });
  return `${text.slice(0, -1)},"timeNano":${event.timeNs},"sequence":${event.sequence}}`;
}

/** Without the sequence number, which the API does not have. */
export function eventJson(numbered: string): string {
  return `${numbered.slice(0, numbered.lastIndexOf(','))}}`;
}

/** Place in time of an event, read from the end of its text; undefined when it does not end as one does. */
export function eventPlace(numbered: string): { readonly sequence: number; readonly timeNs: bigint } | undefined {
  const match = /,"timeNano":(\d{1,19}),"sequence":(\d{1,15})\}$/.exec(numbered.slice(-64));
  return match === null ? undefined : { timeNs: BigInt(match[1]!), sequence: Number(match[2]) };
}

/** The event that a text of `numberedEventJson` tells of. */
export function parseEventJson(numbered: string): EngineEvent {
  const { Type, Action, Actor, scope } = JSON.parse(numbered);
  return {
    type: Type as EventType,
    action: Action,
    actor: { id: Actor.ID, attributes: Actor.Attributes },
    scope: scope as 'local' | 'swarm',
  };
}
