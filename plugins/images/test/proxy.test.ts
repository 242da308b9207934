import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HttpClient, httpOptions, readBody } from '../registry/http';
import { proxyFor } from '../registry/proxy';

const proxies = { httpProxy: 'http://plain:3128', httpsProxy: 'secure:3129', noProxy: '' };

test.each([
  ['http://registry.example/', '', 'http://plain:3128/'],
  ['https://registry.example/', '', 'http://secure:3129/'],
  ['https://localhost:5000/', '', undefined],
  ['http://127.0.0.1:5000/', '', undefined],
  ['http://[::1]:5000/', '', undefined],
  ['https://registry.example/', 'registry.example', undefined],
  ['https://a.registry.example/', 'registry.example', undefined],
  ['https://registry.example/', '.registry.example', 'http://secure:3129/'],
  ['https://a.registry.example/', 'x, .registry.example', undefined],
  ['https://otherregistry.example/', 'registry.example', 'http://secure:3129/'],
  ['https://registry.example:5000/', 'registry.example:5000', undefined],
  ['https://registry.example:5001/', 'registry.example:5000', 'http://secure:3129/'],
  ['https://10.1.2.3/', '10.1.0.0/16', undefined],
  ['https://10.2.2.3/', '10.1.0.0/16', 'http://secure:3129/'],
  ['https://anything.example/', '*', undefined],
])('%s without "%s" goes through %s', (url, noProxy, expected) => {
  expect(proxyFor(new URL(url), { ...proxies, noProxy })?.href).toBe(expected);
});

test('requests reach a host through the proxy, which is told the user of its URL', async () => {
  const seen: IncomingMessage[] = [];
  const connects: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.end('from the proxy');
  });
  server.on('connect', (request, socket) => {
    connects.push(request.url!);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = `http://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new HttpClient(
    httpOptions({ rejectUnauthorized: true }, { httpProxy: proxy, httpsProxy: proxy, noProxy: '' }),
  );
  const { signal } = new AbortController();
  try {
    const url = new URL('http://registry.example/v2/');
    const body = await readBody(await client.request({ method: 'GET', url, signal }));
    expect(body.toString()).toBe('from the proxy');
    expect(seen[0]).toMatchObject({
      url: 'http://registry.example/v2/',
      headers: { 'proxy-authorization': `Basic ${Buffer.from('user:secret').toString('base64')}` },
    });
    const secure = client.request({ method: 'GET', url: new URL('https://registry.example/v2/'), signal });
    await expect(secure).rejects.toThrow('the proxy answered 502 Bad Gateway');
    expect(connects).toEqual(['registry.example:443']);
  } finally {
    client.close();
    server.closeAllConnections();
    server.close();
  }
});
