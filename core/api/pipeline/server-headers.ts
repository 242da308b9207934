import { currentApiVersion } from '../versions/api-version';

export type AnswerHeaders = Readonly<Record<string, string>>;

/** Name, value, name, value, …: what Node writes with the least work. */
export type HeaderList = string[];

const lists = new WeakMap<AnswerHeaders, readonly string[]>();

/**
 * Headers of one answer as a new list. Every request passes here, and objects of all shapes are slow to merge.
 *
 * @param common  what every answer has; the same object every time
 * @param own     what this one has besides; of two with the same name the own one counts
 */
export function headerList(common: AnswerHeaders, contentType?: string, own?: AnswerHeaders): HeaderList {
  let known = lists.get(common);
  if (known === undefined) {
    known = Object.entries(common).flat();
    lists.set(common, known);
  }
  const list = known.slice();
  if (contentType !== undefined) list.push('Content-Type', contentType);
  for (const name in own) {
    const at = list.indexOf(name);
    if (at >= 0 && at % 2 === 0) list[at + 1] = own[name]!;
    else list.push(name, own[name]!);
  }
  return list;
}

/** What every answer carries; clients negotiate their API version by it. */
export function serverHeaders(daemon: { readonly version: string; readonly experimental: boolean }): AnswerHeaders {
  return Object.freeze({
    'Api-Version': currentApiVersion,
    'Docker-Experimental': String(daemon.experimental),
    Ostype: 'linux',
    Server: `Gantry/${daemon.version} (linux)`,
  });
}
