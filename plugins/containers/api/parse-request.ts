import { type ApiRequest, invalidParameter } from '@gantry/sdk';
import { flag, integer, listOf, nullable, struct, text } from '@gantry/sdk/decode';
import { configDocument, hostConfigDocument, networkingConfigDocument } from '../config/container-config';
import type { CreateRequest } from '../create/create-container';
import { asClientMeant } from '../create/older-clients';
import type { ExecConfig } from '../exec/exec-instance';

/** A query flag as Go's strconv and dockerd's forms know it: absent, `0`, `false`, `no`, `none` are false. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = (query.get(name) ?? '').trim().toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(value);
}

/** @throws invalid-parameter  not an integer */
export function queryInteger(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d+$/.test(value)) throw invalidParameter(`invalid value for ${name}: "${value}" is not an integer`);
  return Number(value);
}

/**
 * Seconds since the epoch with a fraction, as `since` and `until` of logs come.
 *
 * @returns nanoseconds; undefined for absent and zero
 */
export function queryTime(query: URLSearchParams, name: string): bigint | undefined {
  const value = query.get(name);
  if (value === null || value === '' || value === '0') return undefined;
  const match = /^(\d+)(?:\.(\d{1,9})\d*)?$/.exec(value);
  if (match) return BigInt(match[1] ?? 0) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  const parsed = Date.parse(value);
  if (Number.isNaN(parsed)) throw invalidParameter(`invalid value for ${name}: "${value}" is not a time`);
  return BigInt(parsed) * 1_000_000n;
}

const hostConfigField = struct({ HostConfig: nullable(hostConfigDocument) });
const networkingField = struct({ NetworkingConfig: nullable(networkingConfigDocument) });

/** @throws invalid-parameter */
export async function parseCreate(request: ApiRequest, cgroupVersion: 1 | 2): Promise<CreateRequest> {
  const body = await request.json();
  if (body === undefined) throw invalidParameter('invalid JSON: got EOF while reading request body');
  const { HostConfig } = hostConfigField.decode(body, '');
  const { NetworkingConfig } = networkingField.decode(body, '');
  const asked = {
    name: request.query.get('name') ?? '',
    platform: request.query.get('platform') ?? '',
    config: configDocument.decode(body, ''),
    hostConfig: HostConfig ?? hostConfigDocument.decode({}, ''),
    endpoints: NetworkingConfig?.EndpointsConfig ?? {},
  };
  return asClientMeant(asked, request.apiVersion, cgroupVersion);
}

const execDocument = struct({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: nullable(listOf(integer)),
  AttachStdin: flag,
  AttachStderr: flag,
  AttachStdout: flag,
  DetachKeys: text,
  Env: listOf(text),
  WorkingDir: text,
  Cmd: listOf(text),
});

/** @throws invalid-parameter */
export async function parseExec(request: ApiRequest): Promise<ExecConfig> {
  const body = execDocument.decode(await request.json(), '');
  return {
    user: body.User,
    privileged: body.Privileged,
    terminal: body.Tty,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    detachKeys: body.DetachKeys,
    env: body.Env,
    workingDir: body.WorkingDir,
    command: body.Cmd,
    consoleSize: body.ConsoleSize ?? undefined,
  };
}

export const execStartDocument = struct({ Detach: flag, Tty: flag, ConsoleSize: nullable(listOf(integer)) });
