import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { decode, encode } from 'dns-packet';
import {
  containerId,
  enterPrivateNetwork,
  inside,
  never,
  newRoot,
  removeRoot,
  serve,
  startEngine,
  stopServers,
  type TestEngine,
} from './test-engine';

jest.setTimeout(30_000);

let leave: () => void;
let root: string;
let engine: TestEngine;
let client: string;

beforeAll(async () => {
  leave = enterPrivateNetwork();
  root = newRoot();
  engine = await startEngine(root);
  await engine.api('POST', '/networks/create', { body: { Name: 'app', EnableIPv6: true } });
  await engine.api('POST', '/networks/create', { body: { Name: 'other' } });
  await engine.api('POST', '/networks/create', { body: { Name: 'inner', Internal: true } });
  await open('web', { endpoints: [{ network: 'app', aliases: ['api', 'Both'] }] });
  await open('db', { endpoints: [{ network: 'app', aliases: ['both'] }] });
  await open('far', { endpoints: [{ network: 'other' }] });
  client = (await open('client', { endpoints: [{ network: 'app', links: ['web:linked'] }], dns: ['172.18.0.1'] })).key!;
});
afterAll(async () => {
  stopServers();
  for (const name of ['web', 'db', 'far', 'client']) await engine.manager.closeSandbox(containerId(name));
  await engine.die();
  removeRoot(root);
  leave();
});

const open = (name: string, more = {}) => engine.manager.openSandbox(engine.request(name, more), never);
const address = (name: string, field: 'ipAddress' | 'globalIPv6Address' = 'ipAddress') =>
  engine.manager.sandbox(containerId(name))!.endpoints[0]![field];

/** Asks the resolver from inside a sandbox with a message of our own. */
async function ask(key: string, name: string, type: 'A' | 'AAAA' | 'PTR' | 'MX' | 'TXT', tcp = false): Promise<any> {
  const query = encode({ type: 'query', id: 4711, flags: 256, questions: [{ type, name }] }).toString('hex');
  const udpScript = `const s = require('dgram').createSocket('udp4'); s.on('message', (m) => { console.log(m.toString('hex')); s.close(); }); s.send(Buffer.from('${query}', 'hex'), 53, '127.0.0.11')`;
  const tcpScript = `const q = Buffer.from('${query}', 'hex'); const l = Buffer.alloc(2); l.writeUInt16BE(q.length); const s = require('net').connect(53, '127.0.0.11', () => s.write(Buffer.concat([l, q]))); s.on('data', (d) => { console.log(d.subarray(2).toString('hex')); s.destroy(); })`;
  const answer = await inside(key, process.execPath, ['-e', tcp ? tcpScript : udpScript], 15_000);
  const packet = decode(Buffer.from(answer.trim(), 'hex'));
  const data = (packet.answers ?? []).map((one) => ('data' in one ? one.data : undefined)).sort();
  return { ...packet, data };
}

test.each([['web'], ['WEB'], ['api'], ['linked'], ['host-web'], ['web.app'], [containerId('web').slice(0, 12)]])(
  'the name %s leads to the container',
  async (name) => {
    expect((await ask(client, name, 'A')).data).toEqual([address('web')]);
  },
);

test('a name several containers share has all their addresses', async () => {
  expect((await ask(client, 'both', 'A')).data).toEqual([address('web'), address('db')].sort());
});

test('addresses of both families, and none where there is none', async () => {
  const data = (await ask(client, 'web', 'AAAA')).data as string[];
  const normal = (ip: string) => new URL(`http://[${ip}]`).hostname;
  expect(data.map(normal)).toEqual([normal(address('web', 'globalIPv6Address'))]);
  const far = engine.manager.sandbox(containerId('far'))!.key!;
  expect(await ask(far, 'far', 'AAAA')).toMatchObject({ rcode: 'NOERROR', data: [] });
  expect(await ask(client, 'web', 'MX')).toMatchObject({ rcode: 'NOERROR', data: [] });
});

test('reverse lookups name container and network', async () => {
  const name = `${address('web').split('.').reverse().join('.')}.in-addr.arpa`;
  expect((await ask(client, name, 'PTR')).data).toEqual(['web.app']);
});

test('the resolver answers over tcp as well', async () => {
  expect((await ask(client, 'db', 'A', true)).data).toEqual([address('db')]);
});

test('other questions go to the servers of the container, from inside its network', async () => {
  const upstream = createSocket('udp4');
  const clients: string[] = [];
  upstream.on('message', (message, from) => {
    clients.push(from.address);
    const query = decode(message);
    const [question] = query.questions!;
    const known = question!.name === 'example.org';
    const answers = known ? [{ type: 'A' as const, name: 'example.org', ttl: 5, data: '192.0.2.7' }] : [];
    const flags = 0x8580 | (known ? 0 : 3);
    upstream.send(
      encode({ type: 'response', id: query.id, flags, questions: query.questions, answers }),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => upstream.bind(53, '172.18.0.1', resolve));
  try {
    expect((await ask(client, 'example.org', 'A')).data).toEqual(['192.0.2.7']);
    expect(await ask(client, 'far', 'A')).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(clients[0]).toBe(address('client'));
  } finally {
    upstream.close();
  }
});

test('without servers that answer it says so', async () => {
  const key = (await open('lonely', { endpoints: [{ network: 'inner' }] })).key!;
  expect(await ask(key, 'example.org', 'A')).toMatchObject({ rcode: 'SERVFAIL' });
  await engine.manager.closeSandbox(containerId('lonely'));
});

test('a container may run a name server of its own on all addresses', async () => {
  const key = (await open('bind', { endpoints: [{ network: 'app' }] })).key!;
  await serve(key, 53, 'own', 'udp');
  expect((await ask(key, 'web', 'A')).data).toEqual([address('web')]);
  await engine.manager.closeSandbox(containerId('bind'));
});

test('a renamed container is found by its new name only', async () => {
  await open('old', { endpoints: [{ network: 'app' }] });
  await engine.manager.rename(containerId('old'), 'fresh');
  expect((await ask(client, 'fresh', 'A')).data).toEqual([address('old')]);
  expect((await ask(client, 'old', 'A')).rcode).not.toBe('NOERROR');
  await engine.manager.closeSandbox(containerId('old'));
});

test('a closed container is no longer found', async () => {
  await open('gone', { endpoints: [{ network: 'app' }] });
  await engine.manager.closeSandbox(containerId('gone'));
  expect((await ask(client, 'gone', 'A')).rcode).not.toBe('NOERROR');
});

test('resolv.conf names the resolver and says whom it asks', () => {
  const path = engine.manager.sandbox(containerId('client'))!.resolvConfPath;
  expect(readFileSync(path, 'utf8')).toBe(
    [
      'nameserver 127.0.0.11',
      ...readFileSync('/etc/resolv.conf', 'utf8')
        .split('\n')
        .filter((line) => /^search/.test(line)),
      'options ndots:0',
      '',
      "# Based on host file: '/etc/resolv.conf' (internal resolver)",
      '# ExtServers: [172.18.0.1]',
      '# Overrides: [nameservers]',
      '# Option ndots from: internal',
      '',
    ].join('\n'),
  );
});

test('the resolver is not there for anybody else', () => {
  expect(execFileSync('ss', ['-lun'], { encoding: 'utf8' })).not.toContain('127.0.0.11');
});
