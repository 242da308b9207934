import { type ServerResponse, STATUS_CODES } from 'node:http';
import { dateLine, headLine, headText } from './head-text';
import type { AnswerHeaders } from './server-headers';
import { writeWhole } from './write-whole';

/** Headers of a complete answer; of two with the same name the later one counts. */
export interface AnswerHead {
  readonly status: number;
  /** What every answer has. */
  readonly common: AnswerHeaders;
  readonly contentType?: string;
  readonly headers?: AnswerHeaders;
}

/** Sends a complete answer. Does nothing when the client has gone. */
export function sendBody(
  response: ServerResponse,
  status: number,
  headers: AnswerHeaders,
  body: string | Buffer,
): void {
  sendAnswer(response, { status, common: headers }, body);
}

/** The same, with headers in parts. */
export function sendAnswer(response: ServerResponse, head: AnswerHead, body: string | Buffer): void {
  if (response.destroyed || response.headersSent) return;
  const { status } = head;
  const hasBody = status !== 204 && status !== 304;
  if (staysOpen(response)) {
    const text = textOf(head);
    if (text !== undefined) {
      const length = hasBody ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
      const start = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${text}${length}${dateLine()}\r\n`;
      response.statusCode = status;
      if (writeWhole(response, start, hasBody && response.req.method !== 'HEAD' ? body : '')) return;
    }
    // HTTP/1.1 connections persist without saying so; dockerd does not say it either.
    response.removeHeader('Connection');
  }
  const headers: Record<string, string> = { ...mergedHeaders(head) };
  if (hasBody) headers['Content-Length'] = String(Buffer.byteLength(body));
  response.writeHead(status, headers);
  response.end(hasBody && response.req.method !== 'HEAD' ? body : undefined);
}

/** All headers of an answer but those that Node adds. */
export function mergedHeaders({ common, contentType, headers }: AnswerHead): AnswerHeaders {
  return { ...common, ...(contentType === undefined ? {} : { 'Content-Type': contentType }), ...headers };
}

/** Whether the connection takes another request after this one, as every HTTP/1.1 connection does by default. */
function staysOpen(response: ServerResponse): boolean {
  // Nothing can follow from a client that has ended its side: it waits for our end.
  if (response.socket?.readableEnded === true) response.shouldKeepAlive = false;
  const { httpVersionMajor, httpVersionMinor } = response.req;
  return response.shouldKeepAlive && httpVersionMajor === 1 && httpVersionMinor === 1;
}

function textOf({ common, contentType, headers }: AnswerHead): string | undefined {
  const first = headText(common);
  if (first === undefined) return undefined;
  const type = contentType === undefined ? '' : headLine('Content-Type', contentType);
  if (type === undefined || headers === undefined) return type === undefined ? undefined : first + type;
  for (const name in headers) if (name in common || name === 'Content-Type') return undefined;
  const own = headText(headers);
  return own === undefined ? undefined : first + type + own;
}
