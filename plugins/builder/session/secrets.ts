import type { ClientHttp2Session } from 'node:http2';
import { EngineError } from '@gantry/sdk';
import { bytesField, readFields } from '../buildkit/protobuf';
import { unaryCall } from './unary-call';

/** @returns undefined when the client has no secret of that name */
export async function getSecret(
  session: ClientHttp2Session,
  id: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  try {
    const answer = await unaryCall(session, '/moby.buildkit.secrets.v1.Secrets/GetSecret', bytesField(1, id), signal);
    return readFields(answer).find(({ number }) => number === 1)?.bytes ?? Buffer.alloc(0);
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') return undefined;
    throw error;
  }
}
