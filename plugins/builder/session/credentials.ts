import type { ClientHttp2Session } from 'node:http2';
import { EngineError } from '@gantry/sdk';
import { bytesField, readFields, textOf } from '../buildkit/protobuf';
import { unaryCall } from './unary-call';

/**
 * Asks the client what it knows of a registry.
 *
 * @param host `registry-1.docker.io` for Docker Hub
 * @returns an AuthConfig document; undefined = nothing
 */
export async function getCredentials(
  session: ClientHttp2Session,
  host: string,
  signal: AbortSignal,
): Promise<Record<string, string> | undefined> {
  try {
    const answer = readFields(
      await unaryCall(session, '/moby.filesync.v1.Auth/Credentials', bytesField(1, host), signal),
    );
    const [username, secret] = [textOf(answer, 1), textOf(answer, 2)];
    if (secret === '') return undefined;
    return username === '' ? { identitytoken: secret } : { username, password: secret };
  } catch (error) {
    // A client without this service, or one that cannot read its own store: the registry will say what it wants.
    if (error instanceof EngineError && !signal.aborted) return undefined;
    throw error;
  }
}
