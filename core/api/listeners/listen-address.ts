import { invalidParameter } from '@gantry/sdk';

/** Where the API listens; one entry of `hosts` or `-H`. */
export type ListenAddress =
  | {
      readonly kind: 'unix';
      /** Absolute, shorter than 108 bytes. */
      readonly path: string;
      readonly group?: SocketGroup;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsFiles }
  /**
   * Sockets handed over by systemd: all of them (`*`), one by number, or one by its FileDescriptorName. The TLS files
   * are for those that are TCP sockets.
   */
  | { readonly kind: 'fd'; readonly select: string; readonly tls?: TlsFiles };

export interface SocketGroup {
  /** Name or number. */
  readonly name: string;
  /** Whether the daemon refuses to start when there is no such group; otherwise only root may connect. */
  readonly required: boolean;
}

/** Absolute paths of PEM files. With `verifyClients` a client certificate signed by `caFile` is demanded. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
  readonly verifyClients: boolean;
}

export interface ListenDefaults {
  /** For `unix://` without a path. */
  readonly socketPath: string;
  readonly group?: SocketGroup;
  readonly tls?: TlsFiles;
}

/**
 * Reads `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`, `fd://`, `fd://3`.
 *
 * @throws invalid-parameter  unknown scheme, or a malformed address
 */
export function parseListenAddress(text: string, defaults: ListenDefaults): ListenAddress {
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/s.exec(text) ?? [];
  switch (scheme) {
    case 'unix': {
      const path = rest === '' ? defaults.socketPath : rest!;
      if (!path.startsWith('/')) throw invalidParameter(`the socket path of ${text} must be absolute`);
      // sun_path holds 108 bytes with the closing zero.
      if (Buffer.byteLength(path) > 107) throw invalidParameter(`the socket path of ${text} is longer than 107 bytes`);
      return { kind: 'unix', path, group: defaults.group };
    }
    case 'tcp':
      return { kind: 'tcp', ...parseHostPort(text, rest!, defaults.tls ? 2376 : 2375), tls: defaults.tls };
    case 'fd':
      return { kind: 'fd', select: rest === '' ? '*' : rest!, tls: defaults.tls };
    default:
      throw invalidParameter(`invalid listen address "${text}": expected unix://, tcp:// or fd://`);
  }
}

function parseHostPort(text: string, rest: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:/[\]\s]*))(?::(\d+))?\/?$/i.exec(rest);
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (match === null || port > 65535)
    throw invalidParameter(`invalid listen address "${text}": expected tcp://host:port`);
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

/** The address as a person would type it. */
export function formatListenAddress(address: ListenAddress): string {
  switch (address.kind) {
    case 'unix':
      return `unix://${address.path}`;
    case 'tcp':
      return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
    case 'fd':
      return `fd://${address.select}`;
  }
}
