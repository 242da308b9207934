import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(__dirname, '../../..');
const guide = readFileSync(resolve(__dirname, '../first-plugin.md'), 'utf8');
const run = promisify(execFile);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-guide-'));
  for (const [, name, content] of guide.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm))
    writeFileSync(join(folder, name!), content!);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the plugin of the guide passes --validate as written', async () => {
  const { stdout, stderr } = await run(
    process.execPath,
    [join(root, 'core/bin/gantryd.js'), '--validate', '--config-file=daemon.json'],
    { cwd: folder },
  );
  expect(stdout + stderr).toBe('configuration OK\n');
});

test('the server of the guide passes the conformance command as written', async () => {
  const socket = join(folder, 'shelf.sock');
  const server = spawn(process.execPath, ['server.js', socket, join(folder, 'shelves')], { cwd: folder });
  try {
    await once(server.stdout, 'data');
    const command = [
      join(root, 'sdk/bin/gantry-plugin.js'),
      'test',
      'volume',
      '--socket',
      socket,
      '--refused',
      'colour=red',
    ];
    const { stdout } = await run(process.execPath, command);
    expect(stdout).toContain(' 0 failed, 0 skipped');
  } finally {
    server.kill();
    await once(server, 'exit');
  }
});

test('the test of the guide passes as written', async () => {
  const jest = [join(root, 'node_modules/jest/bin/jest.js'), '--config={}', '--rootDir', folder];
  const { stderr } = await run(process.execPath, jest, { cwd: folder });
  expect(stderr).toMatch(/Tests: +\d+ passed, \d+ total/);
}, 30_000);

test('the hook of the guide is a plugin that the daemon takes, and does what it says', async () => {
  const text = readFileSync(resolve(__dirname, '../spec-hooks.md'), 'utf8');
  const code = /^```js file=house\.js\n([\s\S]*?)^```$/m.exec(text)![1]!;
  writeFileSync(join(folder, 'house.js'), code);
  const { plugin } = require(join(folder, 'house.js'));
  const { house } = plugin.start();
  await expect(house.onCreate({ config: { Env: [] }, hostConfig: { Privileged: true } })).rejects.toMatchObject({
    kind: 'forbidden',
  });
  expect(await house.onCreate({ config: { Env: ['A=1'] }, hostConfig: {} })).toEqual({
    config: { Env: ['A=1', 'HOUSE=acme'] },
  });
});
