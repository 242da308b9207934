import { conflict, type HijackedConnection, type LogSource } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import type { Container } from '../run/container';
import { logInfo } from '../run/log-info';
import { parseDetachKeys } from './detach-keys';
import { writeLogs } from './logs';
import { OutputWriter } from './output-writer';
import { forwardStdin } from './stdin-forwarder';

export interface AttachOptions {
  /** Replay what was logged. */
  readonly logs: boolean;
  /** Stay for what comes. */
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: string;
  /** In frames that tell stdout from stderr; a terminal has but one stream. */
  readonly framed: boolean;
}

/** @throws conflict  it is paused or restarting. @throws invalid-parameter the detach keys */
export function assertAttachable(container: Container, calledAs: string, options: AttachOptions): void {
  parseDetachKeys(options.detachKeys);
  if (container.state.status === 'paused')
    throw conflict(`container ${calledAs} is paused, unpause the container before attach`);
  if (container.state.status === 'restarting')
    throw conflict(`container ${calledAs} is restarting, wait until the container is running`);
}

/**
 * Connects a client to a container's streams. A created container is waited for: nothing of its output is lost.
 * Resolves at the end of the output, or when the client leaves; the container goes on then.
 */
export async function attach(
  container: Container,
  connection: HijackedConnection,
  options: AttachOptions,
  engine: Engine,
): Promise<void> {
  const { stream, signal } = connection;
  const { config } = container.record;
  const { framed } = options;
  if (options.logs && (await engine.logs.canRead(container.record.log.type, logInfo(container))))
    await writeLogs(
      container,
      stream,
      { ...options, follow: false, timestamps: false, details: false },
      signal,
      engine,
    );
  if (!options.stream || signal.aborted) return;
  publish(engine, container, 'attach');
  await new Promise<void>((resolve) => {
    const writer = new OutputWriter(stream, framed);
    let stopStdin = () => {};
    const leave = container.attachments.add({
      data: (source: LogSource, chunk: Buffer) => {
        if (source === 'stdout' ? options.stdout : options.stderr) return writer.write(source, chunk);
      },
      started: ({ stdin }) => {
        if (!options.stdin || stdin === undefined) return;
        stopStdin = forwardStdin(stream, stdin, {
          detachKeys: config.Tty ? parseDetachKeys(options.detachKeys) : undefined,
          closeAtEnd: config.StdinOnce && !config.Tty,
          onDetach: () => {
            publish(engine, container, 'detach');
            finish();
          },
        });
      },
      ended: () => finish(),
    });
    const finish = () => {
      signal.removeEventListener('abort', finish);
      stopStdin();
      leave();
      resolve();
    };
    signal.addEventListener('abort', finish, { once: true });
    if (signal.aborted) finish();
    // Without input to forward, a client that closes its side is still noticed.
    else if (!options.stdin) stream.resume();
  });
}
