import type { ServerResponse } from 'node:http';
import { type AnswerHeaders, type HeaderList, headerList } from './server-headers';

/** Sends a complete answer. Does nothing when the client has gone. */
export function sendBody(
  response: ServerResponse,
  status: number,
  headers: AnswerHeaders,
  body: string | Buffer,
): void {
  sendListed(response, status, headerList(headers), body);
}

/** The same, with headers that are a list already; it is added to. */
export function sendListed(response: ServerResponse, status: number, headers: HeaderList, body: string | Buffer): void {
  if (response.destroyed || response.headersSent) return;
  dropConnectionHeader(response);
  if (status === 204 || status === 304) {
    response.writeHead(status, headers);
    response.end();
    return;
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  headers.push('Content-Length', String(length));
  response.writeHead(status, headers);
  if (response.req.method === 'HEAD') response.end();
  else response.end(body);
}

/** HTTP/1.1 connections persist without saying so; dockerd does not say it either. */
function dropConnectionHeader(response: ServerResponse): void {
  // Nothing can follow from a client that has ended its side: it waits for our end.
  if (response.socket?.readableEnded === true) response.shouldKeepAlive = false;
  if (response.req.httpVersionMinor === 1 && response.shouldKeepAlive) response.removeHeader('Connection');
}
