import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceAuthorizationPlugin, referenceNetworkDriver, referenceVolumeDriver } from '../../conformance';
import { serve } from '../../serve';
import { runCommandLine } from '..';

let folder: string;
let socketPath: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-command-'));
  socketPath = join(folder, 'plugin.sock');
});
afterEach(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; said: string }> {
  let said = '';
  const code = await runCommandLine(args, (text) => {
    said += text;
  });
  return { code, said };
}

test('a plugin that keeps the rules is told so, a line for each case', async () => {
  const served = await serve({ drivers: { volume: referenceVolumeDriver() }, socketPath });
  const { code, said } = await run(
    'test',
    'volume',
    '--socket',
    socketPath,
    '--unreachable',
    '--refused',
    'colour=red',
  );
  await served.close();
  expect(said).toMatch(/\d+ passed, 0 failed, 2 skipped/);
  expect(said).toContain('skipped  volume.data.kept');
  expect(code).toBe(0);
});

test('a broken rule is explained, in a report to publish as well', async () => {
  const plugin = { ...referenceNetworkDriver(), deleteEndpoint: async () => {} };
  const served = await serve({ drivers: { network: plugin }, socketPath });
  const text = await run('test', 'network', '--socket', socketPath);
  expect(text.code).toBe(1);
  expect(text.said).toContain('FAILED   network.endpoint.delete');
  expect(text.said).toMatch(/P-NET-6: CreateEndpoint answers only what came empty/);
  expect(text.said).toMatch(/broken rules:\n {2}P-NET-6 +network\.endpoint\.delete\n/);
  const json = JSON.parse((await run('test', 'network', '--socket', socketPath, '--json')).said);
  expect(json).toMatchObject({ kind: 'network', implements: ['NetworkDriver'], counts: { failed: 1 } });
  const markdown = await run('test', 'network', '--socket', socketPath, '--format', 'markdown');
  await served.close();
  expect(markdown.said).toMatch(/^# Conformance of a network plugin\n/);
  expect(markdown.said).toMatch(/\| ❌ \| `network\.endpoint\.delete` \|.*\| P-NET-6 \|/);
});

test('what is known about a plugin is told by options', async () => {
  const served = await serve({ drivers: { authorization: referenceAuthorizationPlugin() }, socketPath });
  const { code, said } = await run('test', 'authz', '--socket', socketPath, '--allow', 'GET /info', '--deny', 'GET /x');
  await served.close();
  expect(code).toBe(1);
  expect(said).toContain('GET /x passes');
});

test.each([
  [['test'], 'name the kind of plugin: volume, network, ipam, log, authz, metrics, secret'],
  [['test', 'volume'], '--socket is missing'],
  [['test', 'volume', '--socket', '/x', '--format', 'xml'], '--format xml: text, json or markdown'],
  [['test', 'volume', '--socket', '/x', '--timeout', 'soon'], '--timeout soon: a number of seconds'],
  [['test', 'volume', '--socket', '/x', '--option', 'red'], '"red" is not of the form KEY=VALUE'],
  [['test', 'volume', '--socket', '/x', '--colour'], "Unknown option '--colour'"],
  [['test', 'volume', '--socket', 'ftp://x'], 'cannot judge the plugin'],
  [['test', 'volume', '--socket', '/nonexistent/x.sock'], 'cannot judge the plugin: Plugin.Activate was not answered'],
  [['fly'], 'there is no command "fly"'],
])('%j is refused with a reason and the exit code 2', async (args, reason) => {
  const { code, said } = await run(...args);
  expect(said).toContain(reason);
  expect(code).toBe(2);
});

test('a plugin of another kind is not judged', async () => {
  const server = createServer((_request, response) => response.end('{"Implements": ["NetworkDriver"]}'));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  expect(await run('test', 'volume', '--socket', socketPath)).toEqual({
    code: 2,
    said: 'the plugin implements NetworkDriver, not VolumeDriver\n',
  });
  server.close();
});
