import type { Writable } from 'node:stream';

/**
 * The head of a hijacked answer: `101 UPGRADED` for a client that asked to upgrade, a bare `200 OK` for one that
 * did not. @see Docker Engine API, POST /containers/{id}/attach, "Hijacking"
 */
export function hijackHead(
  upgrade: string | undefined,
  contentType: string,
  headers: Readonly<Record<string, string>>,
): string {
  // Whatever a client of a byte stream asks for, dockerd calls it tcp.
  const protocol = upgrade?.toLowerCase() === 'h2c' ? 'h2c' : 'tcp';
  const lines =
    upgrade === undefined
      ? ['HTTP/1.1 200 OK', `Content-Type: ${contentType}`]
      : ['HTTP/1.1 101 UPGRADED', `Content-Type: ${contentType}`, 'Connection: Upgrade', `Upgrade: ${protocol}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/**
 * Writes the head and waits until it is on its way: whoever takes the connection over may write past Node's streams,
 * and over TLS a second write during the first ends the process. A client that is gone is noticed later.
 */
export function writeHead(connection: Writable, head: string): Promise<void> {
  // Between two owners nobody else listens.
  connection.on('error', () => {});
  return new Promise((resolve) => connection.write(head, () => resolve()));
}
