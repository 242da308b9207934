import type { ServerResponse } from 'node:http';
import type { AnswerHeaders } from './server-headers';

/** Sends a complete answer. Does nothing when the client has gone. */
export function sendBody(
  response: ServerResponse,
  status: number,
  headers: AnswerHeaders,
  body: string | Buffer,
): void {
  if (response.destroyed || response.headersSent) return;
  dropConnectionHeader(response);
  if (status === 204 || status === 304) {
    response.writeHead(status, headers);
    response.end();
    return;
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  response.writeHead(status, withLength(headers, length));
  if (response.req.method === 'HEAD') response.end();
  else response.end(body);
}

/** Every answer passes here: a list of names and values is what Node writes with the least work. */
function withLength(headers: AnswerHeaders, length: number): string[] {
  const list: string[] = [];
  for (const name in headers) list.push(name, headers[name]!);
  list.push('Content-Length', String(length));
  return list;
}

/** HTTP/1.1 connections persist without saying so; dockerd does not say it either. */
function dropConnectionHeader(response: ServerResponse): void {
  // Nothing can follow from a client that has ended its side: it waits for our end.
  if (response.socket?.readableEnded === true) response.shouldKeepAlive = false;
  if (response.req.httpVersionMinor === 1 && response.shouldKeepAlive) response.removeHeader('Connection');
}
