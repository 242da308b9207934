import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthorizationContext, AuthorizationPlugin, AuthorizationRequest } from '@gantry/sdk';
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
    [asked('POST', '/containers/create', { hostconfig: { privileged: true } }), 'may not ask for Privileged'],
    [asked('POST', '/containers/create', { HostConfig: {}, hostConfig: { CapAdd: ['ALL'] } }), 'without a description'],
    [asked('POST', '/containers/create', { HostConfig: { mounts: [{ type: 'bind' }] } }), 'Mounts'],
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

test('an object with an owner is its owner’s alone, and without context nothing is allowed', async () => {
  const plugin = openAllowList({ allow: ['* *'], privileged: true, ownerLabel: 'owner' });
  expect(plugin.wantsContext).toBe(true);
  const judge = (owner: string | undefined, who: Partial<AuthorizationContext>) => {
    const labels: Record<string, string> = owner === undefined ? {} : { owner };
    const subject = { kind: 'container', id: 'abc', name: 'web', labels };
    return plugin.request({ ...asked('POST', '/x'), context: { listener: 'unix:///s', subject, ...who } }, signal);
  };
  const alice = { certificate: { subject: { CN: ['alice'] }, alternativeNames: [] } };
  const root = { peer: { uid: 0, gid: 0, pid: 1 } };
  expect(await judge('alice', alice)).toEqual({ allow: true });
  expect(await judge('uid:0', root)).toEqual({ allow: true });
  expect(await judge(undefined, {})).toEqual({ allow: true });
  expect(await judge('alice', root)).toEqual({ allow: false, message: 'container web belongs to alice' });
  expect(await judge('uid:0', alice)).toMatchObject({ allow: false });
  expect(await plugin.request(asked('GET', '/x'), signal)).toMatchObject({ allow: false });
});
