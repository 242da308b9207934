import type { LogInfo, LogReadOptions } from '../contracts/log-driver';
import { arrayField, field, stringField, stringMapField } from './fields';
import { sortedMap } from './request-text';

const call = (name: string, repeatable: boolean) => ({ method: `LogDriver.${name}`, timeoutMs: 60_000, repeatable });

/** How each method behaves on the wire; `readLogs` answers with a stream of entries. @see volumeDriverMethods */
export const logDriverMethods = {
  startLogging: call('StartLogging', false),
  stopLogging: call('StopLogging', false),
  capabilities: call('Capabilities', true),
  readLogs: call('ReadLogs', true),
} as const;

/** `Info` of StartLogging and ReadLogs (P-LOG-1). The container's name has its slash here. */
export function encodeLogInfo(info: LogInfo, daemonName: string): object {
  return {
    Config: sortedMap({ ...info.deliveryOptions, ...info.options }),
    ContainerID: info.containerId,
    ContainerName: `/${info.containerName}`,
    ContainerEntrypoint: info.entrypoint,
    ContainerArgs: info.args,
    ContainerImageID: info.imageId,
    ContainerImageName: info.imageName,
    ContainerCreated: info.createdAt.toISOString(),
    ContainerEnv: info.env,
    ContainerLabels: sortedMap(info.labels),
    LogPath: info.logPath,
    DaemonName: daemonName,
  };
}

/** The `Info` of a request, as `encodeLogInfo` or any other engine wrote it. */
export function decodeLogInfo(body: unknown): LogInfo {
  const info = field(body, 'Info');
  const strings = (name: string) => arrayField(info, name).filter((value) => typeof value === 'string');
  const config = Object.entries(stringMapField(info, 'Config'));
  const delivery = config.filter(([name]) => isDeliveryOption(name));
  const createdAt = new Date(stringField(info, 'ContainerCreated'));
  return {
    containerId: stringField(info, 'ContainerID'),
    containerName: stringField(info, 'ContainerName').replace(/^\//, ''),
    imageId: stringField(info, 'ContainerImageID'),
    imageName: stringField(info, 'ContainerImageName'),
    entrypoint: stringField(info, 'ContainerEntrypoint'),
    args: strings('ContainerArgs'),
    createdAt: Number.isNaN(createdAt.getTime()) ? new Date(0) : createdAt,
    env: strings('ContainerEnv'),
    labels: stringMapField(info, 'ContainerLabels'),
    logPath: stringField(info, 'LogPath'),
    options: Object.fromEntries(config.filter(([name]) => !isDeliveryOption(name))),
    ...(delivery.length > 0 ? { deliveryOptions: Object.fromEntries(delivery) } : {}),
  };
}

/** Options that the engine itself follows (P-LOG-1). */
const isDeliveryOption = (name: string): boolean =>
  name === 'mode' || name === 'max-buffer-size' || name.startsWith('cache-');

/** `Config` of ReadLogs. A tail below zero means all (P-LOG-8). */
export function encodeReadConfig(options: LogReadOptions): object {
  return {
    Since: rfc3339(options.sinceNs),
    Until: rfc3339(options.untilNs),
    Tail: options.tail ?? -1,
    Follow: options.follow,
  };
}

/** The `Config` of a ReadLogs request; no limit is told by a time of the year 1 or before. */
export function decodeReadConfig(body: unknown): LogReadOptions {
  const config = field(body, 'Config');
  const tail = field(config, 'Tail');
  const sinceNs = nanoseconds(stringField(config, 'Since'));
  const untilNs = nanoseconds(stringField(config, 'Until'));
  return {
    follow: field(config, 'Follow') === true,
    ...(typeof tail === 'number' && tail >= 0 ? { tail } : {}),
    ...(sinceNs === undefined ? {} : { sinceNs }),
    ...(untilNs === undefined ? {} : { untilNs }),
  };
}

/** `{"Cap": {"ReadLogs": true}}`; everything else means that the plugin cannot read back. */
export function decodeLogCapabilities(body: unknown): { readonly readLogs: boolean } {
  return { readLogs: field(field(body, 'Cap'), 'ReadLogs') === true };
}

/** The zero time stands for "no limit". */
function rfc3339(ns: bigint | undefined): string {
  if (ns === undefined) return '0001-01-01T00:00:00Z';
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`;
}

function nanoseconds(time: string): bigint | undefined {
  const match = /^(?!000[01]-)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  if (match === null) return undefined;
  const seconds = Date.parse(`${match[1]}${match[3]}`);
  return BigInt(seconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}
