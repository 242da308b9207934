import type { Readable } from 'node:stream';
import { errorMessage, type HijackedConnection, type LogSource } from '@gantry/sdk';
import { type Engine, publish } from '../engine';
import { discardOutput, finishExec, startExec } from '../exec/exec';
import type { ExecInstance } from '../exec/exec-instance';
import { parseDetachKeys } from './detach-keys';
import { OutputWriter } from './output-writer';
import { forwardStdin } from './stdin-forwarder';
import { streamEnd } from './stream-end';

/**
 * Starts an exec and connects the client to it until it ends or the client leaves; it goes on without a client.
 *
 * @param shape.raw  the output comes as it is, without frames: then there is no place for standard error
 */
export async function attachExec(
  exec: ExecInstance,
  connection: HijackedConnection,
  shape: { readonly raw: boolean },
  engine: Engine,
): Promise<void> {
  const { stream, signal } = connection;
  const { config } = exec;
  try {
    await startExec(exec, engine);
  } catch (error) {
    // The connection is no longer HTTP: the reason goes where the output would.
    new OutputWriter(stream, !shape.raw).write('stdout', Buffer.from(`${errorMessage(error)}\r\n`));
    return;
  }
  const writer = new OutputWriter(stream, !shape.raw);
  const { streams } = exec.process ?? {};
  if (streams === undefined) return;
  const outputs: [LogSource, Readable | undefined, boolean][] = [
    ['stdout', streams.stdout, config.attachStdout],
    ['stderr', streams.stderr, config.attachStderr && !shape.raw],
  ];
  const ended = Promise.all(
    outputs.map(([source, output, wanted]) =>
      output ? forwardOutput(exec, source, output, wanted, writer) : undefined,
    ),
  );
  await new Promise<void>((resolve) => {
    let stopStdin = () => {};
    const finish = () => {
      signal.removeEventListener('abort', finish);
      stopStdin();
      resolve();
    };
    if (config.attachStdin && streams.stdin)
      stopStdin = forwardStdin(stream, streams.stdin, {
        detachKeys: config.terminal ? parseDetachKeys(config.detachKeys) : undefined,
        closeAtEnd: !config.terminal,
        onDetach: () => {
          publish(engine, exec.container, 'exec_detach', { execID: exec.id });
          finish();
        },
      });
    else stream.resume();
    signal.addEventListener('abort', finish, { once: true });
    // The client reads the exit code as soon as the connection ends: it must be recorded by then.
    void finishExec(exec, ended, engine).then(finish, (error: unknown) => {
      engine.log.warn('following an exec failed', { exec: exec.id, error: errorMessage(error) });
      finish();
    });
  });
}

/** Starts an exec nobody watches. */
export async function runDetached(exec: ExecInstance, engine: Engine): Promise<void> {
  await startExec(exec, engine);
  void finishExec(exec, discardOutput(exec), engine).catch((error: unknown) => {
    engine.log.warn('following an exec failed', { exec: exec.id, error: errorMessage(error) });
  });
}

function forwardOutput(
  exec: ExecInstance,
  source: LogSource,
  output: Readable,
  wanted: boolean,
  writer: OutputWriter,
): Promise<void> {
  output.on('data', (chunk: Buffer) => {
    exec.deliveredBytes += chunk.length;
    const wait = wanted ? writer.write(source, chunk) : undefined;
    if (wait === undefined) return;
    output.pause();
    void wait.then(() => output.resume());
  });
  return streamEnd(output);
}
