import type { PublishedEvent } from '@gantry/sdk';

/**
 * An event in the form of the API, with the fields of older clients for containers and images.
 * `timeNano` is beyond what a JavaScript number holds, so its digits are put into the text.
 *
 * @see Docker Engine API, EventMessage
 */
export function eventJson(event: PublishedEvent): string {
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
  return `${text.slice(0, -1)},"timeNano":${event.timeNs}}`;
}
