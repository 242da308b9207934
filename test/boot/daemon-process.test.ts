import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

const bin = resolve(__dirname, '../../core/bin/gantryd.js');
const daemon = daemonForSuite({ args: ['--shutdown-timeout=5'] });
const lastLines = () => daemon().tail(12);

async function run(...args: string[]): Promise<{ code: number; said: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [bin, ...args]);
    return { code: 0, said: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: stdout + stderr };
  }
}

test('version, help and a flag nobody knows', async () => {
  expect(await run('--version')).toEqual({
    code: 0,
    said: expect.stringMatching(/^Gantry version \d+\.\d+\.\d+, build \S+\n$/),
  });
  const help = await run('--help');
  expect(help).toEqual({ code: 0, said: expect.stringContaining('-H, --host list') });
  expect(await run('--hsot=x')).toEqual({
    code: 125,
    said: "unknown flag: --hsot; did you mean --host?\nSee 'gantryd --help'.\n",
  });
});

test('a second daemon is refused by the pid file, the data root and the socket', async () => {
  const { folder, dataRoot, configPath, host } = daemon();
  const other = (more: Record<string, string>) => {
    const flags = {
      'config-file': configPath,
      pidfile: join(folder, 'pid2'),
      'data-root': join(folder, 'data2'),
      'exec-root': join(folder, 'exec2'),
      bridge: 'none',
      host,
      ...more,
    };
    return run(...Object.entries(flags).map(([name, value]) => `--${name}=${value}`));
  };
  expect(await other({ pidfile: join(folder, 'pid') })).toEqual({
    code: 1,
    said: expect.stringContaining(`process with PID ${daemon().pid} is still running`),
  });
  expect(await other({ 'data-root': dataRoot })).toEqual({
    code: 1,
    said: expect.stringContaining('is in use by another daemon'),
  });
  expect(await other({})).toEqual({ code: 1, said: expect.stringContaining(daemon().socketPath) });
  expect((await daemon().api.get('/_ping')).status).toBe(200);
});

test('SIGHUP changes what can change, names the rest, and survives a bad file', async () => {
  const before = JSON.parse(readFileSync(daemon().configPath, 'utf8')) as Record<string, unknown>;
  const reload = async (config: unknown, said: string) => {
    writeFileSync(daemon().configPath, typeof config === 'string' ? config : JSON.stringify(config));
    process.kill(daemon().pid, 'SIGHUP');
    await eventually(`the daemon to say ${said}`, async () => lastLines().includes(said));
  };
  await reload({ ...before, labels: ['rack=7'], mtu: 1400 }, 'configuration reloaded');
  expect(lastLines()).toContain('needs a restart');
  expect((await daemon().api.get('/info')).json<{ Labels: string[] }>().Labels).toEqual(['rack=7']);
  await reload('{"labels": [}', 'configuration not reloaded');
  expect((await daemon().api.get('/info')).json<{ Labels: string[] }>().Labels).toEqual(['rack=7']);
  await reload(before, 'changed=labels');
});

test('SIGUSR1 writes a report and opens no debugger', async () => {
  process.kill(daemon().pid, 'SIGUSR1');
  await eventually('the report', async () => readdirSync(daemon().execRoot).some((name) => name.startsWith('report-')));
  expect(lastLines()).not.toContain('Debugger listening');
});

test('a plugin on a socket is found by its name when it is first used; its absence concerns nobody else', async () => {
  const directory = join(daemon().folder, 'plugins');
  mkdirSync(directory);
  const config = JSON.parse(readFileSync(daemon().configPath, 'utf8')) as Record<string, unknown>;
  await daemon().stop();
  daemon().writeConfig({
    ...config,
    'plugin-directories': { sockets: directory, specs: [] },
    plugins: { gone: { socket: join(directory, 'gone.sock'), optional: true } },
  });
  const startedAt = Date.now();
  await daemon().start();
  expect((await daemon().api.get('/volumes')).status).toBe(200);
  expect(Date.now() - startedAt).toBeLessThan(10_000);

  const calls: string[] = [];
  const plugin = http.createServer((request, response) => {
    calls.push(request.url!);
    response.end(
      JSON.stringify(
        request.url === '/Plugin.Activate'
          ? { Implements: ['VolumeDriver'] }
          : { Volume: { Name: 'far', Mountpoint: '/far' } },
      ),
    );
  });
  await new Promise<void>((done) => plugin.listen(join(directory, 'shelf.sock'), done));
  try {
    const create = (Driver: string) => daemon().api.post('/volumes/create', { Name: 'far', Driver });
    const unknown = await create('nowhere');
    expect([unknown.status, unknown.json<{ message: string }>().message]).toEqual([
      404,
      expect.stringContaining('plugin "nowhere" not found'),
    ]);
    expect((await create('shelf')).status).toBe(201);
    expect(calls[0]).toBe('/Plugin.Activate');
    await daemon().api.delete('/volumes/far?force=1');
  } finally {
    plugin.closeAllConnections();
    plugin.close();
  }
});

test('a client that waits for a container learns its exit code when the daemon stops, and the socket is gone', async () => {
  const client = spawn('docker', [
    '-H',
    daemon().host,
    'run',
    '--name',
    'last',
    'busybox',
    'sh',
    '-c',
    'trap "echo bye; exit 7" TERM; echo up; while :; do sleep 0.1; done',
  ]);
  let said = '';
  client.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const ended = new Promise<number | null>((done) => client.on('close', done));
  await eventually('the container to run', async () => said.includes('up'));
  await sleep(200);
  await daemon().stop();
  expect(await ended).toBe(7);
  expect(said).toContain('bye');
  expect(existsSync(daemon().socketPath)).toBe(false);
  expect(existsSync(join(daemon().folder, 'pid'))).toBe(false);
  await daemon().start();
});
