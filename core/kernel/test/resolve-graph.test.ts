import { capability } from '@gantry/sdk';
import { type GraphNode, resolveGraph } from '../graph/resolve-graph';

const Store1 = capability<object>('store/v1');
const Net1 = capability<object>('net/v1');
const Driver1 = capability<object>('driver/v1', 'many');
const Routes1 = capability<object>('api-routes/v1', 'many');

const node = (name: string, rest: Partial<GraphNode> = {}): GraphNode => ({
  name,
  provides: {},
  requires: {},
  optional: false,
  ...rest,
});
const nothing = new Set<string>();

test('what is needed comes first', () => {
  const { order, problems } = resolveGraph(
    [
      node('app', { requires: { store: Store1, drivers: { all: Driver1 }, net: { optional: Net1 } } }),
      node('store', { provides: { store: Store1 } }),
      node('b-driver', { provides: { b: Driver1 } }),
      node('net', { provides: { net: Net1 } }),
    ],
    nothing,
  );
  expect(problems).toEqual([]);
  expect(order.at(-1)).toBe('app');
});

test('needs that the core meets, that are optional, or that take whoever is there, are met', () => {
  const it = node('app', { requires: { a: Store1, b: { optional: Net1 }, c: { all: Driver1 } } });
  expect(resolveGraph([it], new Set(['store/v1'])).problems).toEqual([]);
});

test('all unmet, ambiguous and cyclic needs are reported at once, as paths into daemon.json', () => {
  const { problems } = resolveGraph(
    [
      node('lonely', { requires: { store: Store1 } }),
      node('a-driver', { provides: { same: Driver1 } }),
      node('b-driver', { provides: { same: Driver1 } }),
      node('left', { provides: { net: Net1 }, requires: { right: capability('right/v1') } }),
      node('right', { provides: { right: capability('right/v1') }, requires: { net: Net1 } }),
    ],
    nothing,
  );
  expect(problems.map(({ pointer, message }) => `${pointer} ${message}`)).toEqual([
    '/plugins/lonely plugin "lonely": it needs store/v1 ("store"), and no plugin provides that',
    expect.stringMatching(/^\/plugins\/b-driver .*driver\/v1 named "same" is provided by "a-driver" as well/),
    expect.stringMatching(/^\/plugins\/left .*"left" needs "right" needs "left"/),
  ]);
});

test('a capability of which there is one cannot be provided twice', () => {
  const { problems } = resolveGraph(
    [node('one', { provides: { x: Store1 } }), node('two', { provides: { y: Store1 } })],
    nothing,
  );
  expect(problems).toEqual([
    expect.objectContaining({ pointer: '/plugins/two', message: expect.stringContaining('store/v1') }),
  ]);
});

test('contributions of several plugins may carry the same key', () => {
  const nodes = ['a', 'b'].map((name) => node(name, { provides: { routes: Routes1 } }));
  expect(resolveGraph(nodes, nothing).problems).toEqual([]);
});

test('an optional plugin with an unmet need is skipped, and so are the optional ones that needed it', () => {
  const { order, skipped, problems } = resolveGraph(
    [
      node('a', { optional: true, provides: { net: Net1 }, requires: { store: Store1 } }),
      node('b', { optional: true, requires: { net: Net1 } }),
      node('c'),
    ],
    nothing,
  );
  expect(problems).toEqual([]);
  expect(order).toEqual(['c']);
  expect(skipped.map((it) => it.name)).toEqual(['a', 'b']);
});

test('a required plugin that needs a skipped one is a problem', () => {
  const { problems } = resolveGraph(
    [
      node('a', { optional: true, provides: { net: Net1 }, requires: { store: Store1 } }),
      node('b', { requires: { net: Net1 } }),
    ],
    nothing,
  );
  expect(problems).toEqual([expect.objectContaining({ pointer: '/plugins/b' })]);
});
