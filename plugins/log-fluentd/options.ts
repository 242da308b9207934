import { errorMessage, invalidParameter } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  type LogOptions,
  parseBoolean,
  parseDuration,
  parseSize,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';
import type { LogTarget } from '@gantry/sdk/log-sinks';

export interface FluentdOptions {
  readonly target: LogTarget;
  /** The container neither waits for the connection nor for what is sent. */
  readonly isAsync: boolean;
  /** Bytes kept in memory while an `isAsync` connection is away. */
  readonly bufferBytes: number;
  readonly retryWaitMs: number;
  readonly maxRetries: number;
  readonly requestAck: boolean;
  readonly subSecond: boolean;
  /** A receiver that takes nothing for so long is connected to anew; 0 = it is waited for. */
  readonly writeTimeoutMs: number;
}

const DEFAULT_PORT = 24224;
const DEFAULT_BUFFER_BYTES = 1024 * 1024;
const DEFAULT_RETRY_WAIT_MS = 1000;
const MIN_RECONNECT_MS = 100;
const MAX_RECONNECT_MS = 10_000;

const known = [
  'fluentd-address',
  'fluentd-async',
  'fluentd-async-connect',
  'fluentd-async-reconnect-interval',
  'fluentd-buffer-limit',
  'fluentd-max-retries',
  'fluentd-request-ack',
  'fluentd-retry-wait',
  'fluentd-sub-second-precision',
  'fluentd-write-timeout',
  'tag',
  ...attributeOptions,
];

/** Parses and checks; the words are dockerd's where it has some. @throws invalid-parameter */
export function parseOptions(options: LogOptions): FluentdOptions {
  refuseUnknownOptions('fluentd', options, known);
  if (options['fluentd-async'] !== undefined && options['fluentd-async-connect'] !== undefined)
    throw invalidParameter('conflicting options: cannot specify both fluentd-async and fluentd-async-connect');
  const interval = options['fluentd-async-reconnect-interval'];
  const intervalMs = interval === undefined ? undefined : parseDuration(interval);
  if (intervalMs !== undefined && intervalMs !== 0 && (intervalMs < MIN_RECONNECT_MS || intervalMs > MAX_RECONNECT_MS))
    throw invalidParameter(
      `invalid value for fluentd-async-reconnect-interval: value ("${interval}") must be between 100ms and 10s`,
    );
  const { 'fluentd-buffer-limit': limit, 'fluentd-retry-wait': wait, 'fluentd-max-retries': retries } = options;
  checkAttributeOptions(options);
  checkTag(options);
  return {
    target: parseAddress(options['fluentd-address'] ?? ''),
    isAsync: flag(options, 'fluentd-async') || flag(options, 'fluentd-async-connect'),
    bufferBytes: limit === undefined ? DEFAULT_BUFFER_BYTES : bufferSize(limit),
    retryWaitMs: intervalMs || (wait === undefined ? DEFAULT_RETRY_WAIT_MS : parseDuration(wait)),
    maxRetries: retries === undefined ? Number.POSITIVE_INFINITY : count(retries),
    requestAck: flag(options, 'fluentd-request-ack'),
    subSecond: flag(options, 'fluentd-sub-second-precision'),
    writeTimeoutMs: writeTimeout(options['fluentd-write-timeout']),
  };
}

const flag = (options: LogOptions, name: string) => options[name] !== undefined && parseBoolean(options[name]);

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw invalidParameter(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function bufferSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes < 0) throw invalidParameter(`invalid size: '${text}'`);
  return bytes;
}

function writeTimeout(text: string | undefined): number {
  if (text === undefined) return 0;
  const refused = 'invalid value for fluentd-write-timeout: value must be a duration';
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch (error) {
    throw invalidParameter(`${refused}: ${errorMessage(error)}`, error);
  }
  if (ms < 0) throw invalidParameter(`${refused} that is non-negative`);
  return ms;
}

function parseAddress(address: string): LogTarget {
  const text = address === '' ? '127.0.0.1' : address;
  const [, scheme = 'tcp', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? [];
  if (scheme === 'unix') {
    if (!/^\/.*[^/]$/.test(rest)) throw invalidParameter(`invalid fluentd-address (${address}): path is empty`);
    return { scheme, path: rest };
  }
  if (scheme !== 'tcp' && scheme !== 'tls')
    throw invalidParameter(`invalid fluentd-address (${address}): unsupported scheme: '${scheme}'`);
  if (rest.includes('/'))
    throw invalidParameter(`invalid fluentd-address (${address}): should not contain a path element`);
  const match = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(rest);
  if (!match || Number(match[2] ?? 1) > 65_535)
    throw invalidParameter(`invalid fluentd-address (${address}): not a host and port`);
  const host = match[1]!.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const port = Number(match[2] ?? DEFAULT_PORT);
  return scheme === 'tls'
    ? { scheme, host, port, tls: { servername: host, minVersion: 'TLSv1.2' } }
    : { scheme, host, port };
}
