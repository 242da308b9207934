import type { EngineEvent, PublishedEvent } from '@gantry/sdk';
import { recordingLogger } from '../../api/test/api-fixture';
import { eventMatches, parseEventFilters } from '../event-filter';
import { eventJson, numberedEventJson, parseEventJson } from '../event-json';
import { EventLog } from '../event-log';

const event = (action: string, over: Partial<EngineEvent> = {}): EngineEvent => ({
  type: 'container',
  action,
  actor: { id: 'c0ffee', attributes: { name: 'web', image: 'busybox:1.36', tier: 'front' } },
  ...over,
});

const published = (over: Partial<PublishedEvent> = {}): PublishedEvent => ({
  ...event('start'),
  timeNs: 1_795_257_437_166_214_057n,
  sequence: 1,
  ...over,
});

test('subscribers are called in order and a failing one does not stop the others', () => {
  const log = recordingLogger();
  const events = new EventLog(log);
  const seen: string[] = [];
  events.subscribe(() => {
    throw new Error('oops');
  });
  const stop = events.subscribe(({ action, sequence }) => seen.push(`${sequence} ${action}`));
  events.publish(event('create'));
  events.publish(event('start'));
  stop();
  events.publish(event('die'));
  expect(seen).toEqual(['1 create', '2 start']);
  expect(log.lines.filter((line) => line.level === 'error')).toHaveLength(3);
});

test.each([
  ['{}', true],
  ['{"type":["container"]}', true],
  ['{"type":{"image":true}}', false],
  ['{"type":["image","container"]}', true],
  ['{"event":["start"]}', true],
  ['{"event":["stop"]}', false],
  ['{"container":["web"]}', true],
  ['{"container":["c0f"]}', true],
  ['{"container":["other"]}', false],
  ['{"network":["n1"]}', false],
  ['{"image":["busybox"]}', true],
  ['{"image":["busybox:1.36"]}', true],
  ['{"image":["alpine"]}', false],
  ['{"label":["tier"]}', true],
  ['{"label":["tier=front"]}', true],
  ['{"label":["tier=back"]}', false],
  ['{"label":["tier","missing"]}', false],
  ['{"scope":["local"]}', true],
  ['{"scope":["swarm"]}', false],
  ['{"daemon":["x"]}', false],
])('a container event against the filters %s', (filters, fits) => {
  expect(eventMatches(published(), parseEventFilters(filters))).toBe(fits);
});

test('actions with a detail fit their bare name', () => {
  const exec = published({ action: 'exec_create: sh -c true' });
  expect(eventMatches(exec, parseEventFilters('{"event":["exec_create"]}'))).toBe(true);
  expect(eventMatches(exec, parseEventFilters('{"event":["exec"]}'))).toBe(false);
  expect(
    eventMatches(published({ action: 'health_status: healthy' }), parseEventFilters('{"event":["health_status"]}')),
  ).toBe(true);
});

test('image events fit by id, name, and name without tag', () => {
  const image = published({
    type: 'image',
    action: 'tag',
    actor: { id: 'sha256:abc', attributes: { name: 'docker.io/library/busybox:1.36' } },
  });
  for (const value of ['sha256:abc', 'busybox', 'docker.io/library/busybox:1.36'])
    expect(eventMatches(image, parseEventFilters(JSON.stringify({ image: [value] })))).toBe(true);
});

test.each(['[]', '"x"', '{', '{"type":"container"}', '{"type":[1]}', '{"colour":["red"]}'])(
  'filters %s are refused',
  (text) => {
    expect(() => parseEventFilters(text)).toThrow(expect.objectContaining({ kind: 'invalid-parameter' }));
  },
);

test('the wire form keeps every digit and has the older fields', () => {
  const numbered = numberedEventJson(published({ sequence: 42 }));
  expect(eventJson(numbered)).toBe(
    '{"status":"start","id":"c0ffee","from":"busybox:1.36","Type":"container","Action":"start",' +
      '"Actor":{"ID":"c0ffee","Attributes":{"name":"web","image":"busybox:1.36","tier":"front"}},' +
      '"scope":"local","time":1795257437,"timeNano":1795257437166214057}',
  );
  expect(numbered.endsWith(',"timeNano":1795257437166214057,"sequence":42}')).toBe(true);
  expect(parseEventJson(numbered)).toEqual({ ...event('start'), scope: 'local' });
  expect(numberedEventJson(published({ type: 'network' }))).not.toContain('"status"');
});
