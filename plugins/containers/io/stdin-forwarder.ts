import type { Readable, Writable } from 'node:stream';
import { DetachDetector } from './detach-keys';

/**
 * Copies what the client sends into a process until the client ends its side, the process goes away or the user
 * types the detach sequence.
 */
export function forwardStdin(
  client: Readable,
  stdin: Writable,
  options: {
    /** Undefined = no such sequence. */
    readonly detachKeys: Buffer | undefined;
    /** The client has ended its side: close the process's input too. */
    readonly closeAtEnd: boolean;
    onDetach(): void;
  },
): () => void {
  const detector = options.detachKeys ? new DetachDetector(options.detachKeys) : undefined;
  const onData = (chunk: Buffer) => {
    let bytes = chunk;
    if (detector) {
      const { pass, detached } = detector.feed(chunk);
      bytes = pass;
      if (detached) {
        if (pass.length > 0) stdin.write(pass);
        stop();
        options.onDetach();
        return;
      }
    }
    if (bytes.length === 0 || stdin.destroyed || stdin.writableEnded) return;
    if (!stdin.write(bytes)) {
      client.pause();
      stdin.once('drain', resume);
    }
  };
  const resume = () => {
    client.resume();
  };
  const onEnd = () => {
    stop();
    if (options.closeAtEnd) stdin.end();
  };
  // The process closed its end: the rest of the input is read and dropped.
  const onGone = () => {
    client.off('data', onData);
    client.resume();
  };
  const stop = () => {
    client.off('data', onData);
    client.off('end', onEnd);
    stdin.off('drain', resume);
    stdin.off('error', onGone);
    stdin.off('close', onGone);
  };
  stdin.on('error', onGone);
  stdin.on('close', onGone);
  client.on('data', onData);
  client.on('end', onEnd);
  if (client.readableEnded) onEnd();
  client.resume();
  return stop;
}
