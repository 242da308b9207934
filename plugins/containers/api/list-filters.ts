import { invalidParameter, parseQueryFilters } from '@gantry/sdk';
import { parseExposedPorts } from '../create/ports';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { isAlive } from '../run/state';
import { liveSandbox } from './render-shared';

export type Filters = ReadonlyMap<string, readonly string[]>;

const STATUSES = new Set(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']);
const HEALTH = new Set(['none', 'starting', 'healthy', 'unhealthy']);

/** @throws invalid-parameter  not of either form, or a filter that is not known */
export const parseFilters: (json: string | null, known: readonly string[]) => Filters = parseQueryFilters;

export const LIST_FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

function notOneOf(filter: string, what: string, value: string, known: ReadonlySet<string>) {
  return invalidParameter(
    `invalid filter '${filter}=${value}': invalid value for ${what} (${value}): must be one of ${[...known].join(', ')}`,
  );
}

export interface ListOptions {
  readonly all: boolean;
  readonly limit: number;
  readonly filters: Filters;
}

/** The containers a list shows, newest first. @throws invalid-parameter, not-found (before, since) */
export async function selectContainers(options: ListOptions, engine: Engine): Promise<Container[]> {
  const { filters, limit } = options;
  let found = engine.index.all();
  const get = (name: string) => filters.get(name) ?? [];
  for (const status of get('status')) if (!STATUSES.has(status)) throw notOneOf('status', 'state', status, STATUSES);
  for (const health of get('health')) if (!HEALTH.has(health)) throw notOneOf('health', 'health', health, HEALTH);
  for (const value of get('exited'))
    if (!/^-?\d+$/.test(value))
      throw invalidParameter(`invalid filter 'exited=${value}': strconv.Atoi: parsing "${value}": invalid syntax`);
  for (const value of get('is-task'))
    if (!['true', 'false', '1', '0'].includes(value)) throw invalidParameter(`invalid filter 'is-task=[${value}]'`);

  for (const reference of get('before')) {
    const border = engine.index.get(reference);
    found = found.slice(found.indexOf(border) + 1);
  }
  for (const reference of get('since')) {
    const border = engine.index.get(reference);
    const at = found.indexOf(border);
    found = at < 0 ? [] : found.slice(0, at);
  }
  // Whoever asks by state, or for a number, means stopped ones too.
  const showAll = options.all || limit > 0 || get('status').length > 0;
  if (!showAll) found = found.filter(({ state }) => ['running', 'paused', 'restarting'].includes(state.status));
  if (filters.size > 0) {
    const ancestors = await ancestorIds(get('ancestor'), engine);
    found = found.filter((container) => matches(container, filters, ancestors, engine));
  }
  return limit > 0 ? found.slice(0, limit) : found;
}

function matches(container: Container, filters: Filters, ancestors: ReadonlySet<string>, engine: Engine): boolean {
  const { record, state } = container;
  const any = (name: string, test: (value: string) => boolean) => {
    const values = filters.get(name);
    return values === undefined || values.length === 0 || values.some(test);
  };
  const exposed = () => parseExposedPorts(Object.keys(record.config.ExposedPorts ?? {}));
  return (
    any('id', (value) => record.id.startsWith(value) || matchesPattern(record.id, value)) &&
    any('name', (value) => matchesPattern(`/${record.name}`, value) || matchesPattern(record.name, value)) &&
    any('status', (value) => state.status === value) &&
    any('exited', (value) => record.started && !isAlive(state) && state.exitCode === Number(value)) &&
    any('health', (value) => (container.health?.state.status ?? 'none') === value) &&
    any('is-task', (value) => value === 'false' || value === '0') &&
    any('isolation', (value) => (record.hostConfig.Isolation || 'default') === value) &&
    (filters.get('label') ?? []).every((value) => hasLabel(record.config.Labels, value)) &&
    any('ancestor', () =>
      [record.imageId, ...engine.images.ancestorsOf(record.imageId)].some((id) => ancestors.has(id)),
    ) &&
    any('volume', (value) =>
      record.mounts.some(({ name, destination, source }) => [name, destination, source].includes(value)),
    ) &&
    any('network', (value) => isOnNetwork(container, value, engine)) &&
    any('expose', (value) =>
      portRange(value).some((port) => exposed().some((e) => e.port === port.port && e.proto === port.proto)),
    ) &&
    any('publish', (value) => {
      const ports = liveSandbox(record, engine.networks)?.ports ?? [];
      return portRange(value).some((wanted) => ports.some((p) => p.port === wanted.port && p.proto === wanted.proto));
    })
  );
}

function isOnNetwork(container: Container, reference: string, engine: Engine): boolean {
  const { record } = container;
  if (Object.hasOwn(record.networks, reference)) return true;
  const sandbox = liveSandbox(record, engine.networks);
  return (sandbox?.endpoints ?? []).some(
    ({ networkId, networkName }) => networkName === reference || networkId.startsWith(reference),
  );
}

async function ancestorIds(references: readonly string[], engine: Engine): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for (const reference of references) {
    const image = await engine.images.resolve(reference).catch(() => undefined);
    if (image) ids.add(image.id);
  }
  return ids;
}

/** `key` or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const separator = wanted.indexOf('=');
  if (separator < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, separator)] === wanted.slice(separator + 1);
}

function matchesPattern(text: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return text.includes(pattern);
  }
}

const portRange = (value: string) => parseExposedPorts([value]);
