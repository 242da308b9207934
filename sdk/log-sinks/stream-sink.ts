import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { errorMessage, unavailable } from '../errors';
import { describeTarget, type LogSink, type LogTarget } from './log-sink';

/** How a broken connection is made anew. */
export interface StreamSinkOptions {
  /** Attempts for one message before it is given up; at least 1. */
  readonly attempts: number;
  /** Between two attempts. */
  readonly retryDelayMs: number;
  /** Opening connects, or fails. Else the first message does. */
  readonly connectNow?: boolean;
  /** What the other end sends, for protocols in which it answers. */
  readonly onData?: (chunk: Buffer) => void;
  /** The connection broke: nothing more comes over it. */
  readonly onLost?: () => void;
}

const CONNECT_MS = 10_000;
const CLOSE_MS = 500;
/** A target that is away is asked again this often. */
const AWAY_RETRY_MS = 500;

/** Sends messages over tcp, tls or a unix stream socket, and connects again when the connection broke. */
export class StreamSink implements LogSink {
  private socket: Socket | undefined;
  private connecting: Promise<Socket> | undefined;
  private isClosed = false;
  private failed = false;
  private retry: NodeJS.Timeout | undefined;
  private readonly stop = new AbortController();
  /** Ends the patience of what waits for a connection. */
  private patience = deferred();

  private constructor(
    private readonly target: LogTarget,
    private readonly options: StreamSinkOptions,
  ) {}

  /** @throws unavailable naming the target, when it is to be connected now and cannot */
  static async open(target: LogTarget, options: StreamSinkOptions): Promise<StreamSink> {
    const sink = new StreamSink(target, options);
    try {
      if (options.connectNow) await sink.connected();
    } catch (error) {
      await sink.close();
      throw error;
    }
    return sink;
  }

  get isAway(): boolean {
    return this.failed;
  }

  send(message: Buffer): void | Promise<void> {
    const { socket } = this;
    if (socket === undefined || !socket.writable) return this.sendLater(message);
    const sent = this.write(socket, message);
    // Most messages are taken by the kernel at once.
    if (socket.writableLength > 0) return sent;
    sent.catch(() => undefined);
  }

  /** Breaks the connection: the next message makes a new one. */
  reset(): void {
    this.socket?.destroy();
  }

  /** What waits for a connection does not go out: each such `send` rejects. */
  giveUp(): void {
    this.patience.end();
    this.patience = deferred();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.stop.abort();
    this.giveUp();
    clearTimeout(this.retry);
    const { socket } = this;
    if (socket === undefined || socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end();
    });
    clearTimeout(timer);
  }

  private async sendLater(message: Buffer): Promise<void> {
    const { attempts, retryDelayMs } = this.options;
    for (let attempt = 1; ; attempt++) {
      const { patience } = this;
      try {
        const socket = await Promise.race([this.connected(), patience.over]);
        if (socket === undefined) throw unavailable(`${describeTarget(this.target)} is not connected`);
        await this.write(socket, message);
        return;
      } catch (error) {
        if (attempt >= attempts || this.isClosed) throw error;
        await Promise.race([pause(retryDelayMs, undefined, { signal: this.stop.signal }), patience.over]).catch(
          () => undefined,
        );
        if (patience.isOver) throw error;
      }
    }
  }

  /** @throws unavailable  the connection broke before the kernel had taken the message */
  private write(socket: Socket, message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.write(message, (error) => {
        // What was under way when a socket was destroyed ends without an error, though it did not go out.
        if (error || socket.destroyed)
          reject(
            unavailable(
              `${describeTarget(this.target)} did not take a message: ${error?.message ?? 'the connection broke'}`,
              error,
            ),
          );
        else resolve();
      });
    });
  }

  private connected(): Promise<Socket> {
    if (this.socket?.writable) return Promise.resolve(this.socket);
    this.connecting ??= this.connect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  private connect(): Promise<Socket> {
    const { target } = this;
    return new Promise((resolve, reject) => {
      const socket = openSocket(target);
      const fail = (error: unknown) => {
        this.failed = true;
        this.connectLater();
        socket.destroy();
        reject(unavailable(`${describeTarget(target)} cannot be reached: ${errorMessage(error)}`, error));
      };
      const timer = setTimeout(() => fail(new Error(`no answer within ${CONNECT_MS} ms`)), CONNECT_MS);
      socket.once('error', fail);
      socket.once(target.scheme === 'tls' ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        socket.off('error', fail);
        // 'close' follows.
        socket.on('error', () => undefined);
        this.adopt(socket);
        resolve(socket);
      });
      socket.once('close', () => clearTimeout(timer));
    });
  }

  /** Who looks at `isAway` sends nothing meanwhile, so that no message would bring the connection back. */
  private connectLater(): void {
    if (this.retry !== undefined || this.isClosed) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      if (!this.isClosed && this.socket === undefined) this.connected().catch(() => undefined);
    }, AWAY_RETRY_MS).unref();
  }

  private adopt(socket: Socket): void {
    this.socket = socket;
    this.failed = false;
    // Nobody needs the old one any more, which remembers all that ever waited.
    this.patience = deferred();
    socket.on('data', (chunk: Buffer) => this.options.onData?.(chunk));
    // A peer that only ends its side will not read on either.
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      if (this.socket === socket) this.socket = undefined;
      this.options.onLost?.();
    });
  }
}

interface Patience {
  readonly over: Promise<undefined>;
  isOver: boolean;
  end(): void;
}

function deferred(): Patience {
  let resolve: (value: undefined) => void = () => undefined;
  const patience: Patience = {
    over: new Promise((settle) => {
      resolve = settle;
    }),
    isOver: false,
    end() {
      patience.isOver = true;
      resolve(undefined);
    },
  };
  return patience;
}

function openSocket(target: LogTarget): Socket {
  switch (target.scheme) {
    case 'tls':
      return connectTls({ host: target.host, port: target.port, ...target.tls });
    case 'unix':
    case 'unixgram':
      return connectPlain(target.path);
    default:
      return connectPlain(target.port, target.host);
  }
}
