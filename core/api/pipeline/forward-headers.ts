import type { IncomingHttpHeaders } from 'node:http';
import { forwardedHeaders, routeKey } from '@gantry/sdk/wire';
import type { Exchange } from '../request/exchange';

/** What a forwarded request tells beside the client's own headers. */
export function headersFor(exchange: Exchange): Record<string, string> {
  return {
    [forwardedHeaders.requestId]: exchange.id,
    [forwardedHeaders.apiVersion]: exchange.apiVersion,
    [forwardedHeaders.route]: routeKey(exchange.route),
    [forwardedHeaders.params]: encodeURIComponent(JSON.stringify(exchange.params)),
  };
}

const ours: readonly string[] = Object.values(forwardedHeaders);
/** About one connection only. @see RFC 9110, section 7.6.1 */
const ofConnection = ['connection', 'keep-alive', 'transfer-encoding', 'proxy-connection', 'te', 'trailer', 'host'];

/** The client's headers without those that only the daemon may set. */
export function clientHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !ours.includes(entry[0]) && !ofConnection.includes(entry[0]),
    ),
  );
}

/** What the client is told of a plugin's answer. */
export function answerHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(clientHeaders(headers)).filter(
    ([name]) => name !== 'content-length' && name !== 'upgrade',
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}

/** The path and query as the client sent them, without the version. */
export const forwardedPath = (rawUrl: string): string => rawUrl.replace(/^\/v\d+(\.\d+)*(?=\/)/, '');
