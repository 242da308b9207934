import type { ClientHttp2Session } from 'node:http2';
import { Readable } from 'node:stream';
import { MessageReader } from '../buildkit/grpc-messages';
import { readFields } from '../buildkit/protobuf';
import { callStatus } from './call-status';

/** What begins with this is no address, but something the client holds ready: its standard input. */
export const uploadPrefix = 'http://buildkit-session/';

/**
 * Fetches what a client holds ready.
 *
 * @param url that begins with `uploadPrefix`
 * @throws not-found, system  while it is read
 */
export function fetchUpload(session: ClientHttp2Session, url: string, signal: AbortSignal): Readable {
  return Readable.from(contents(session, url, signal), { objectMode: false });
}

async function* contents(session: ClientHttp2Session, url: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const { host, pathname } = new URL(url);
  const call = session.request({
    ':method': 'POST',
    ':path': '/moby.upload.v1.Upload/Pull',
    'content-type': 'application/grpc',
    te: 'trailers',
    urlpath: pathname,
    urlhost: host,
  });
  call.on('error', () => {});
  const cancel = () => call.destroy(new Error('cancelled'));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const assertSucceeded = callStatus(call);
    const reader = new MessageReader();
    call.end();
    for await (const chunk of call as AsyncIterable<Buffer>)
      for (const message of reader.push(chunk))
        for (const { number, bytes } of readFields(message)) if (number === 1 && bytes !== undefined) yield bytes;
    assertSucceeded();
  } finally {
    signal.removeEventListener('abort', cancel);
    call.close();
  }
}
