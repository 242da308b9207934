import type { ConnectionOptions } from 'node:tls';

/** Where log messages are sent. `unixgram` is a datagram socket in the file system. */
export type LogTarget =
  | { readonly scheme: 'tcp' | 'udp'; readonly host: string; readonly port: number }
  | { readonly scheme: 'tls'; readonly host: string; readonly port: number; readonly tls: ConnectionOptions }
  | { readonly scheme: 'unix' | 'unixgram'; readonly path: string };

/** Takes finished messages, one for each datagram or one after the other. Who opened it closes it. */
export interface LogSink {
  /**
   * A returned promise holds the container's output back until it resolves.
   *
   * @throws unavailable (or rejects with it): the message did not go out
   */
  send(message: Buffer): void | Promise<void>;
  /** The last attempt to connect failed. Absent: nobody can tell. */
  readonly isAway?: boolean;
  /** What waits for a connection does not go out: each such `send` rejects. Absent: nothing waits. */
  giveUp?(): void;
  /** Waits a little for what is under way. */
  close(): Promise<void>;
}

/** The target as users write it, for messages. */
export function describeTarget(target: LogTarget): string {
  return 'path' in target ? `${target.scheme}://${target.path}` : `${target.scheme}://${target.host}:${target.port}`;
}
