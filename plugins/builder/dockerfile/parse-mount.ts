import { invalidParameter } from '@gantry/sdk';
import type { RunMount } from './instructions';

type Field =
  | 'target'
  | 'source'
  | 'from'
  | 'readonly'
  | 'readwrite'
  | 'id'
  | 'sharing'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'required'
  | 'env';

const aliases: Readonly<Record<string, Field>> = {
  target: 'target',
  dst: 'target',
  destination: 'target',
  source: 'source',
  src: 'source',
  from: 'from',
  readonly: 'readonly',
  ro: 'readonly',
  readwrite: 'readwrite',
  rw: 'readwrite',
  id: 'id',
  sharing: 'sharing',
  mode: 'mode',
  uid: 'uid',
  gid: 'gid',
  size: 'size',
  required: 'required',
  env: 'env',
};

const allowed: Readonly<Record<RunMount['type'], readonly Field[]>> = {
  bind: ['target', 'source', 'from', 'readonly', 'readwrite'],
  cache: ['target', 'source', 'from', 'readonly', 'readwrite', 'id', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['target', 'source', 'id', 'required', 'mode', 'uid', 'gid', 'env', 'readonly'],
  ssh: ['target', 'id', 'required', 'mode', 'uid', 'gid'],
};

/**
 * Reads the value of `--mount`, such as `type=cache,target=/root/.cache`.
 *
 * @throws invalid-parameter
 */
export function parseMount(text: string): RunMount {
  const given = new Map<Field, string>();
  let type: RunMount['type'] = 'bind';
  for (const part of commaSeparated(text)) {
    const equals = part.indexOf('=');
    const key = (equals < 0 ? part : part.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? undefined : part.slice(equals + 1);
    if (key === 'type') {
      if (value === undefined || !Object.hasOwn(allowed, value.toLowerCase()))
        throw invalidParameter(`unsupported mount type "${value ?? ''}": use bind, cache, tmpfs, secret or ssh`);
      type = value.toLowerCase() as RunMount['type'];
      continue;
    }
    const field = aliases[key];
    if (field === undefined) throw invalidParameter(`unexpected key '${key}' in '${part}'`);
    const flag = field === 'readonly' || field === 'readwrite' || field === 'required';
    if (value === undefined && !flag) throw invalidParameter(`invalid field '${part}' must be a key=value pair`);
    given.set(field, value ?? 'true');
  }
  for (const field of given.keys())
    if (!allowed[type].includes(field)) throw invalidParameter(`unexpected key '${field}' for mount type '${type}'`);
  const target = given.get('target');
  if (target === undefined && (type === 'bind' || type === 'cache' || type === 'tmpfs'))
    throw invalidParameter('--mount: target is required');
  const sharing = given.get('sharing') ?? 'shared';
  if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked')
    throw invalidParameter(`unsupported sharing value "${sharing}": use shared, private or locked`);
  const readWrite = given.has('readwrite') ? boolean('rw', given.get('readwrite')!) : undefined;
  const readOnly = given.has('readonly') ? boolean('ro', given.get('readonly')!) : undefined;
  return {
    type,
    target,
    source: given.get('source') ?? '',
    from: given.get('from'),
    readOnly: readOnly ?? (readWrite === undefined ? type === 'bind' : !readWrite),
    id: given.get('id'),
    sharing,
    mode: number('mode', given.get('mode'), 8),
    uid: number('uid', given.get('uid'), 10),
    gid: number('gid', given.get('gid'), 10),
    sizeBytes: size(given.get('size')),
    required: given.has('required') && boolean('required', given.get('required')!),
    environmentName: given.get('env'),
  };
}

/** Fields as in a CSV line: one in double quotes may hold commas. */
function commaSeparated(text: string): string[] {
  return (text.match(/(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)/g) ?? [])
    .map((field) => field.replace(/^,/, ''))
    .map((field) => (field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field))
    .filter((field) => field !== '');
}

function boolean(name: string, value: string): boolean {
  if (['true', '1', 't'].includes(value.toLowerCase())) return true;
  if (['false', '0', 'f'].includes(value.toLowerCase())) return false;
  throw invalidParameter(`invalid value for ${name}: ${value}`);
}

function number(name: string, value: string | undefined, radix: number): number | undefined {
  if (value === undefined) return undefined;
  const digits = radix === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/;
  if (!digits.test(value)) throw invalidParameter(`invalid value ${value} for ${name}`);
  return Number.parseInt(value, radix);
}

function size(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(value);
  if (match === null) throw invalidParameter(`invalid value for size: ${value}`);
  return Math.floor(Number(match[1]) * 1024 ** ' kmgt'.indexOf(match[2]!.toLowerCase() || ' '));
}
