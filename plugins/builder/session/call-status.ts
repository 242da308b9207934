import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { EngineError } from '@gantry/sdk';

const notFoundStatus = '5';

/**
 * Listens for how a call ends.
 *
 * @returns to be asked after the last byte. @throws not-found, system  the call failed
 */
export function callStatus(call: ClientHttp2Stream): () => void {
  let status: IncomingHttpHeaders = {};
  call.on('response', (headers) => {
    if (headers['grpc-status'] !== undefined) status = headers;
  });
  call.on('trailers', (headers) => {
    status = headers;
  });
  return () => {
    const code = String(status['grpc-status'] ?? '2');
    if (code === '0') return;
    const reason = decodeURIComponent(String(status['grpc-message'] ?? `status ${code}`));
    throw new EngineError(code === notFoundStatus ? 'not-found' : 'system', reason);
  };
}
