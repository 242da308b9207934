import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { freePort } from '../support/registry';

const daemon = daemonForSuite({
  tidy: async (each) => {
    if (!each.runs) await each.start();
    await each.removeEverything();
  },
});
const docker = (...args: string[]) => daemon().cli.ok(...args);

async function killAndStart(downMs = 0): Promise<void> {
  await daemon().kill();
  await sleep(downMs);
  await daemon().start();
}

test('a running container outlives the daemon: same process, listed, entered, stopped', async () => {
  await docker('run', '-d', '--name', 'survivor', 'busybox', 'sleep', '600');
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'survivor');
  await killAndStart();
  expect(await docker('inspect', '-f', '{{.State.Status}} {{.State.Pid}}', 'survivor')).toBe(`running ${pid}`);
  expect(await docker('ps', '--format', '{{.Names}}')).toBe('survivor');
  expect(await docker('exec', 'survivor', 'echo', 'still here')).toBe('still here');
  await docker('stop', '-t', '0', 'survivor');
  expect(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'survivor')).toBe('exited 137');
  await docker('rm', 'survivor');
});

test('no line of the log is lost or doubled while the daemon is dead', async () => {
  const script = 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.01; done';
  await docker('run', '-d', '--name', 'teller', 'busybox', 'sh', '-c', script);
  await eventually('the first lines', async () => (await docker('logs', 'teller')).includes('line 20'));
  await killAndStart(700);
  await eventually('the last line', async () => (await docker('logs', '-n', '1', 'teller')) === 'line 400', 30_000);
  const lines = (await docker('logs', 'teller')).split('\n');
  expect(lines).toEqual(Array.from({ length: 400 }, (_, i) => `line ${i + 1}`));
  expect(await docker('wait', 'teller')).toBe('0');
  await docker('rm', 'teller');
});

test('a container with --rm that ended meanwhile is removed, and the daemon comes up', async () => {
  await docker('run', '-d', '--rm', '--name', 'fleeting', 'busybox', 'sleep', '1000');
  const pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'fleeting'));
  await daemon().kill();
  process.kill(pid, 'SIGKILL');
  await eventually('its end', () => !existsSync(`/proc/${pid}`));
  await daemon().start();
  await eventually('its removal', async () => (await daemon().api.get('/containers/fleeting/json')).status === 404);
});

test('the exit code of a container that ended meanwhile is not lost', async () => {
  await docker('run', '-d', '--name', 'ended', 'busybox', 'sh', '-c', 'sleep 1; echo last words; exit 23');
  await killAndStart(1500);
  const state = () => docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'ended');
  await eventually('the exit to be known', async () => (await state()) === 'exited 23');
  expect(await docker('logs', 'ended')).toBe('last words');
  await docker('rm', 'ended');
});

test('a container can be attached again, with its standard input', async () => {
  await docker('run', '-d', '-i', '--name', 'echoes', 'busybox', 'cat');
  await killAndStart();
  const client = daemon().cli.start(['attach', 'echoes']);
  await sleep(500);
  client.type('after the kill\n');
  await client.shows(/after the kill/);
  await docker('stop', '-t', '0', 'echoes');
  expect((await client.end()).code).toBe(137);
  await docker('rm', 'echoes');
});

test('published ports, names and volumes work on', async () => {
  const port = await freePort();
  await docker('network', 'create', 'lasting');
  const args = ['--name', 'web', '--network', 'lasting', '-p', `127.0.0.1:${port}:80`, '-v', 'kept:/www'];
  await docker('run', '-d', ...args, 'busybox', 'sh', '-c', 'echo kept > /www/p; exec httpd -f -h /www');
  await eventually('the page', async () => (await page(port)) === 'kept\n');
  await killAndStart();
  expect(await page(port)).toBe('kept\n');
  const ask = ['run', '--rm', '--network', 'lasting', 'busybox', 'wget', '-qO-', 'http://web/p'];
  expect(await docker(...ask)).toBe('kept');
  expect(await docker('port', 'web', '80')).toBe(`127.0.0.1:${port}`);
  expect((await daemon().cli.run(['volume', 'rm', 'kept'])).stderr).toContain('volume is in use');
  await docker('rm', '-f', 'web');
  await docker('volume', 'rm', 'kept');
  await docker('network', 'rm', 'lasting');
});

test('what was acknowledged is there after the kill: stopped containers, images, networks, volumes', async () => {
  await daemon().cli.run(['run', '--name', 'stopped', 'busybox', 'sh', '-c', 'echo x > /f; exit 5']);
  await docker('network', 'create', '--subnet', '10.216.78.0/24', 'net');
  await docker('volume', 'create', '--label', 'a=b', 'vol');
  await docker('tag', 'busybox', 'other:1');
  await killAndStart();
  expect(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'stopped')).toBe('exited 5');
  expect(await docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'net')).toBe('10.216.78.0/24');
  expect(await docker('volume', 'inspect', '-f', '{{.Labels.a}}', 'vol')).toBe('b');
  expect(await docker('run', '--rm', 'other:1', 'echo', 'runs')).toBe('runs');
  await docker('rm', 'stopped');
  await docker('network', 'rm', 'net');
  await docker('volume', 'rm', 'vol');
  await docker('rmi', 'other:1');
});

test('killed in the middle of starts, the daemon comes back with no half-started container', async () => {
  const started = Array.from({ length: 6 }, (_, i) =>
    daemon().cli.run(['run', '-d', '--name', `half${i}`, '-p', '127.0.0.1::80', 'busybox', 'sleep', '600'], {
      timeoutMs: 30_000,
    }),
  );
  await sleep(250);
  await killAndStart();
  await Promise.all(started);
  const rows = await docker('ps', '-a', '--format', '{{.Names}} {{.State}}');
  for (const row of rows.split('\n').filter(Boolean)) {
    const [name, state] = row.split(' ') as [string, string];
    expect(['created', 'running', 'exited']).toContain(state);
    if (state === 'running') expect(await docker('exec', name, 'echo', 'ok')).toBe('ok');
    else await docker('start', name);
  }
  for (const row of rows.split('\n').filter(Boolean)) await docker('rm', '-f', row.split(' ')[0]!);
});

test('a restart policy is taken up again', async () => {
  await docker('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '600');
  await docker('run', '-d', '--name', 'never', 'busybox', 'sleep', '600');
  const pid = (name: string) => docker('inspect', '-f', '{{.State.Pid}}', name);
  const pids = [Number(await pid('always')), Number(await pid('never'))];
  await daemon().kill();
  for (const each of pids) process.kill(each, 'SIGKILL');
  await daemon().start();
  await eventually('the container to be back', async () => {
    const now = Number(await pid('always'));
    return now > 0 && now !== pids[0];
  });
  expect(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'never')).toBe('exited 137');
  await docker('rm', '-f', 'always', 'never');
});

function page(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path: '/p', agent: false, timeout: 3000 }, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(text));
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end();
  });
}
