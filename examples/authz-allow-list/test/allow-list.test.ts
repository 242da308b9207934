import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthorizationPlugin, AuthorizationRequest } from '@gantry/sdk';
import { connectAuthorizationPlugin, connectPlugin } from '@gantry/sdk/client';
import { serve } from '@gantry/sdk/serve';
import { openAllowList } from '../allow-list';

const rules = { allow: ['GET *', 'POST /containers/create', 'POST /containers/*/start'], privileged: false };
const asked = (method: string, uri: string, body?: unknown): AuthorizationRequest => ({
  user: '',
  userAuthMethod: '',
  method,
  uri,
  headers: {},
  body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
  peerCertificatesPem: [],
});
const { signal } = new AbortController();

async function overSocket(judge: (plugin: AuthorizationPlugin) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'allow-list-'));
  const served = await serve({ drivers: { authorization: openAllowList(rules) }, socketPath: join(folder, 'a.sock') });
  const client = connectPlugin({ name: 'allow-list', address: served.address });
  try {
    expect(await client.activate()).toEqual({ implements: ['authz'] });
    await judge(connectAuthorizationPlugin(client));
  } finally {
    client.close();
    await served.close();
    await rm(folder, { recursive: true });
  }
}

const inProcess = (judge: (plugin: AuthorizationPlugin) => Promise<void>) => judge(openAllowList(rules));

describe.each([
  ['in process', inProcess],
  ['over a socket', overSocket],
])('%s', (_where, withPlugin) => {
  test.each([
    asked('GET', '/v1.51/info'),
    asked('GET', '/_ping?x=/../y'),
    asked('POST', '/v1.40/containers/web/start'),
    asked('POST', '/containers/create?name=web', { Image: 'busybox', HostConfig: { Memory: 5, Binds: [] } }),
  ])('allows $method $uri', (request) =>
    withPlugin(async (plugin) => expect(await plugin.request(request, signal)).toEqual({ allow: true })),
  );

  test.each([
    [asked('POST', '/volumes/create'), 'POST /volumes/create is not on the list'],
    [asked('POST', '/containers/x/../../volumes/start'), 'cannot be read'],
    [asked('POST', '/containers/x%2f..%2fstart'), 'cannot be read'],
    [asked('GET', '/%zz'), 'cannot be read'],
    [asked('POST', '/containers/create'), 'without a description'],
    [asked('POST', '/%63ontainers/create', { HostConfig: { Privileged: true } }), 'may not ask for Privileged'],
    [asked('POST', '/containers/create', { HostConfig: { PidMode: 'host', Binds: ['/:/x'] } }), 'Binds, PidMode'],
    [asked('POST', '/containers/create', { HostConfig: { Mounts: [{ Type: 'bind' }] } }), 'Mounts'],
  ])('refuses %#: $0.method $0.uri', (request, message) =>
    withPlugin(async (plugin) =>
      expect(await plugin.request(request, signal)).toEqual({
        allow: false,
        message: expect.stringContaining(message),
      }),
    ),
  );
});
