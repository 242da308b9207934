import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { bodyDecoder } from '../streams/body-framing';
import { FramedBody } from '../streams/framed-body';

const bodyOf = (source: PassThrough) =>
  new FramedBody(source as unknown as Socket, bodyDecoder({ 'content-length': '100' })!);

test('a body that ends early fails who reads it', async () => {
  const source = new PassThrough();
  const body = bodyOf(source);
  source.end('half');
  await expect(body.toArray()).rejects.toThrow('ended early');
});

test('once its reader has gone it may end as it likes: the daemon goes on', async () => {
  const source = new PassThrough();
  const body = bodyOf(source);
  source.write('half');
  // As a reader does that has found the body too large.
  for await (const _part of body.iterator({ destroyOnReturn: false })) break;
  body.resume();
  source.destroy();
  await new Promise((resolve) => body.once('close', resolve));
  expect(body.errored?.message).toContain('ended early');
});
