import type { ClientHttp2Session } from 'node:http2';
import { EngineError, errorMessage } from '@gantry/sdk';
import { frame, MessageReader } from '../buildkit/grpc-messages';
import { callStatus } from './call-status';

/**
 * Calls a method with one message each way.
 *
 * @returns the answer
 * @throws not-found  gRPC's own status for it
 * @throws system     any other status, or the connection is gone
 */
export async function unaryCall(
  session: ClientHttp2Session,
  path: string,
  message: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  let assertSucceeded = () => {};
  const answers: Buffer[] = [];
  signal.throwIfAborted();
  let cancel = () => {};
  try {
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    // Also what comes after the answer, when nobody waits any more.
    call.on('error', () => {});
    cancel = () => call.destroy(new Error('cancelled'));
    signal.addEventListener('abort', cancel, { once: true });
    assertSucceeded = callStatus(call);
    call.end(frame(message));
    const reader = new MessageReader();
    for await (const chunk of call as AsyncIterable<Buffer>) answers.push(...reader.push(chunk));
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('system', `the build session ended: ${errorMessage(error)}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  assertSucceeded();
  return answers[0] ?? Buffer.alloc(0);
}
