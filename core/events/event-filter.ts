import { type EngineEvent, type EventType, parseQueryFilters } from '@gantry/sdk';

/** Filter name → its values. Values of one name are alternatives, except labels, which must all fit. */
export type EventFilters = ReadonlyMap<string, ReadonlySet<string>>;

/** Filters that name an object of a type by id or name, or a prefix of either. */
const objectFilters = [
  'config',
  'container',
  'daemon',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'volume',
] as const satisfies readonly EventType[];

const knownFilters: ReadonlySet<string> = new Set([...objectFilters, 'event', 'image', 'label', 'scope', 'type']);

/**
 * Reads the `filters` query parameter: `{"type":["container"]}`, or the older `{"type":{"container":true}}`.
 *
 * @throws invalid-parameter  not such JSON, or an unknown filter
 */
export function parseEventFilters(text: string | null): EventFilters {
  return new Map([...parseQueryFilters(text, knownFilters)].map(([name, values]) => [name, new Set(values)]));
}

export function eventMatches(event: EngineEvent, filters: EventFilters): boolean {
  if (filters.size === 0) return true;
  return (
    matchesAction(event, filters.get('event')) &&
    isOneOf(filters.get('type'), event.type) &&
    isOneOf(filters.get('scope'), event.scope ?? 'local') &&
    objectFilters.every((type) => matchesObject(event, filters.get(type))) &&
    matchesImage(event, filters.get('image')) &&
    matchesLabels(event, filters.get('label'))
  );
}

/** Actions that carry a detail after a colon, such as `exec_create: sh`, fit their bare name too. */
const actionsWithDetail: ReadonlySet<string> = new Set(['health_status', 'exec_create', 'exec_start']);

function matchesAction(event: EngineEvent, wanted: ReadonlySet<string> | undefined): boolean {
  if (isOneOf(wanted, event.action)) return true;
  const names = [...wanted!];
  return names.some((name) => actionsWithDetail.has(name)) && names.some((name) => event.action.startsWith(name));
}

function matchesObject(event: EngineEvent, wanted: ReadonlySet<string> | undefined): boolean {
  if (wanted === undefined || wanted.size === 0) return true;
  const name = event.actor.attributes.name ?? '';
  for (const prefix of wanted) if (event.actor.id.startsWith(prefix) || name.startsWith(prefix)) return true;
  return false;
}

/** An image filter fits events of the image and of the containers made from it, with or without tag. */
function matchesImage(event: EngineEvent, wanted: ReadonlySet<string> | undefined): boolean {
  const image = event.actor.attributes[event.type === 'image' ? 'name' : 'image'] ?? '';
  return (
    isOneOf(wanted, event.actor.id) ||
    isOneOf(wanted, image) ||
    isOneOf(wanted, familiarName(event.actor.id)) ||
    isOneOf(wanted, familiarName(image))
  );
}

function matchesLabels(event: EngineEvent, wanted: ReadonlySet<string> | undefined): boolean {
  if (wanted === undefined) return true;
  for (const label of wanted) {
    const equals = label.indexOf('=');
    const key = equals === -1 ? label : label.slice(0, equals);
    if (!Object.hasOwn(event.actor.attributes, key)) return false;
    if (equals !== -1 && event.actor.attributes[key] !== label.slice(equals + 1)) return false;
  }
  return true;
}

function isOneOf(wanted: ReadonlySet<string> | undefined, value: string): boolean {
  return wanted === undefined || wanted.size === 0 || wanted.has(value);
}

/** `docker.io/library/busybox:1.36` → `busybox`; what is not a reference stays as it is. */
function familiarName(reference: string): string {
  const withoutDigest = reference.split('@', 1)[0]!;
  const name = withoutDigest.replace(/:[^:/]*$/, '');
  return name.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '');
}
