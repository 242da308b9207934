import { currentApiVersion } from '../versions/api-version';

export type AnswerHeaders = Readonly<Record<string, string>>;

/** What every answer carries; clients negotiate their API version by it. */
export function serverHeaders(daemon: { readonly version: string; readonly experimental: boolean }): AnswerHeaders {
  return Object.freeze({
    'Api-Version': currentApiVersion,
    'Docker-Experimental': String(daemon.experimental),
    Ostype: 'linux',
    Server: `Gantry/${daemon.version} (linux)`,
  });
}
