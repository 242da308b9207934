import { readFileSync } from 'node:fs';
import { invalidParameter } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  type LogOptions,
  parseBoolean,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';
import type { HttpCall } from '@gantry/sdk/log-sinks';

export interface SplunkOptions {
  readonly url: URL;
  readonly token: string;
  readonly source?: string;
  readonly sourceType?: string;
  readonly index?: string;
  readonly format: 'inline' | 'json' | 'raw';
  readonly verify: boolean;
  /** Undefined: not packed. */
  readonly gzipLevel?: number;
  /** The collector acknowledges what its indexes have. */
  readonly acknowledged: boolean;
  readonly tls?: HttpCall['tls'];
}

const EVENT_PATH = '/services/collector/event/1.0';
const known = [
  'splunk-url',
  'splunk-token',
  'splunk-source',
  'splunk-sourcetype',
  'splunk-index',
  'splunk-capath',
  'splunk-caname',
  'splunk-insecureskipverify',
  'splunk-format',
  'splunk-verify-connection',
  'splunk-gzip',
  'splunk-gzip-level',
  'splunk-index-acknowledgment',
  'tag',
  ...attributeOptions,
];

/** Parses and checks; the words are dockerd's where it has some. @throws invalid-parameter */
export function parseOptions(options: LogOptions): SplunkOptions {
  refuseUnknownOptions('splunk', options, known);
  const url = parseUrl(options['splunk-url']);
  const { 'splunk-token': token = '', 'splunk-format': format = 'inline' } = options;
  if (token === '') throw invalidParameter('splunk: splunk-token is expected');
  if (format !== 'inline' && format !== 'json' && format !== 'raw')
    throw invalidParameter(`unknown format specified ${format}, supported formats are inline, json and raw`);
  checkAttributeOptions(options);
  checkTag(options);
  const gzip = flag(options, 'splunk-gzip', false);
  const gzipLevel = parseLevel(options['splunk-gzip-level']);
  return {
    url,
    token,
    format,
    source: options['splunk-source'],
    sourceType: options['splunk-sourcetype'],
    index: options['splunk-index'],
    verify: flag(options, 'splunk-verify-connection', true),
    gzipLevel: gzip ? gzipLevel : undefined,
    acknowledged: flag(options, 'splunk-index-acknowledgment', false),
    tls: url.protocol === 'https:' ? parseTls(options) : undefined,
  };
}

function parseUrl(text = ''): URL {
  if (text === '') throw invalidParameter('splunk: splunk-url is expected');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && url.pathname === '/' && url.search === '' && url.hash === '';
  if (!isPlain || !['http:', 'https:'].includes(url.protocol))
    throw invalidParameter('splunk: expected format scheme://dns_name_or_ip:port for splunk-url');
  url.pathname = EVENT_PATH;
  return url;
}

function parseLevel(text: string | undefined): number {
  if (text === undefined) return -1;
  const level = Number(text);
  if (!/^-?\d+$/.test(text) || level < -1 || level > 9)
    throw invalidParameter(`not supported level '${text}' for splunk-gzip-level (supported values between -1 and 9)`);
  return level;
}

function parseTls(options: LogOptions): HttpCall['tls'] {
  const { 'splunk-capath': path, 'splunk-caname': servername } = options;
  const trusted = !flag(options, 'splunk-insecureskipverify', false);
  let ca: Buffer | undefined;
  try {
    ca = path === undefined ? undefined : readFileSync(path);
  } catch (error) {
    throw invalidParameter(`splunk: the file of splunk-capath cannot be read: ${(error as Error).message}`, error);
  }
  return { rejectUnauthorized: trusted, ...(ca && { ca }), ...(servername ? { servername } : {}) };
}

function flag(options: LogOptions, name: string, otherwise: boolean): boolean {
  const text = options[name];
  return text === undefined ? otherwise : parseBoolean(text);
}
