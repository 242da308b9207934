import type { SandboxRequest } from '@gantry/sdk';
import type { EndpointRecord, SandboxRecord } from '../records/sandbox-record';
import type { Upstream } from './resolv-conf';

/** A sandbox that exists now. */
export interface LiveSandbox {
  readonly sandboxId: string;
  /** Path of the namespace file; undefined for the host's namespace. */
  readonly key: string | undefined;
  request: SandboxRequest;
  /** Replaced by every change, never changed in place. */
  endpoints: readonly EndpointRecord[];
  /** Endpoints that are being made: they hold their networks against removal. */
  readonly pending: Map<string, string>;
  upstreams: readonly Upstream[];
  /** What was last written into `hosts` and `resolv.conf`: what else is there is the container's own. */
  readonly written: Map<string, string>;
}

export function recordOf({ sandboxId, key, request, endpoints }: LiveSandbox): SandboxRecord {
  return { sandboxId, key, request, endpoints };
}

/** `eth0`, or the first free number behind the prefix. */
export function freeInterfaceName(sandbox: LiveSandbox, prefix: string): string {
  const taken = new Set(sandbox.endpoints.map((endpoint) => endpoint.interfaceName));
  let index = 0;
  while (taken.has(`${prefix}${index}`)) index++;
  return `${prefix}${index}`;
}
