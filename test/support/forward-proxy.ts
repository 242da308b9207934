import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A proxy as companies have them: whole URLs for http, CONNECT for the rest; only for who tells the password. */
export interface ForwardProxy {
  /** With user and password, as it stands in a configuration. */
  readonly url: string;
  /** `GET http://…` and `CONNECT host:port`, as they came. */
  readonly requests: string[];
  close(): Promise<void>;
}

const user = 'proxy-user:proxy-secret';

/** @param hosts where names really are: `registry.example:443` → `127.0.0.1:41234`; it knows no others */
export async function startForwardProxy(hosts: ReadonlyMap<string, string>): Promise<ForwardProxy> {
  const requests: string[] = [];
  const expected = `Basic ${Buffer.from(user).toString('base64')}`;
  const admit = (request: http.IncomingMessage, name: string): { host: string; port: number } | undefined => {
    requests.push(`${request.method} ${request.url}`);
    const [host = '', port] = hosts.get(name)?.split(':') ?? [];
    const knowsPassword = request.headers['proxy-authorization'] === expected;
    return knowsPassword && port !== undefined ? { host, port: Number(port) } : undefined;
  };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url!);
    const target = admit(request, `${url.hostname}:${url.port || 80}`);
    if (target === undefined) return void response.writeHead(502).end();
    const { method, headers } = request;
    const path = url.pathname + url.search;
    const onward = http.request({ ...target, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    return request.pipe(onward);
  });
  server.on('connect', (request, client) => {
    const target = admit(request, request.url!);
    if (target === undefined) return void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const onward = connect(target, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    return onward;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://${user}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
