import { once } from 'node:events';
import { chmod, chown } from 'node:fs/promises';
import type { ClientHttp2Session } from 'node:http2';
import { createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { EngineError } from '@gantry/sdk';
import { ByteTunnel } from '../buildkit/byte-tunnel';
import { bytesField } from '../buildkit/protobuf';
import { unaryCall } from './unary-call';

interface AgentSocket {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * A socket whose connections go to the client's agent.
 *
 * @param id of the agent
 * @param path of the socket; must not exist
 * @returns closes it; undefined when the client has no such agent
 */
export async function serveAgent(
  session: ClientHttp2Session,
  id: string,
  path: string,
  { mode, uid, gid }: AgentSocket,
  signal: AbortSignal,
): Promise<(() => Promise<void>) | undefined> {
  try {
    await unaryCall(session, '/moby.sshforward.v1.SSH/CheckAgent', bytesField(1, id), signal);
  } catch (error) {
    if (error instanceof EngineError && !signal.aborted) return undefined;
    throw error;
  }
  const open = new Set<ByteTunnel>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // The client may have gone while the step runs on.
    if (session.destroyed || session.closed) return void socket.destroy();
    const tunnel = new ByteTunnel(session, '/moby.sshforward.v1.SSH/ForwardAgent', { 'buildkit.ssh.id': id });
    open.add(tunnel);
    tunnel.once('close', () => open.delete(tunnel));
    pipeline(socket, tunnel, socket, () => {});
  });
  server.listen(path);
  await once(server, 'listening');
  await chmod(path, mode);
  await chown(path, uid, gid);
  return async () => {
    for (const tunnel of open) tunnel.destroy();
    server.close();
  };
}
