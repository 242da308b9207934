import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const state = (name: string) => docker('inspect', '-f', '{{.State.Status}}', name);

test('ps lists running containers, ps -a all of them, with names, images and states', async () => {
  await docker('run', '-d', '--name', 'up', '--label', 'kind=lasting', 'busybox', 'sleep', '600');
  await daemon().cli.run(['run', '--name', 'done', 'busybox', 'sh', '-c', 'exit 3']);
  expect(await docker('ps', '--format', '{{.Names}} {{.Image}} {{.Command}}')).toBe('up busybox "sleep 600"');
  const all = await docker('ps', '-a', '--format', '{{.Names}}: {{.Status}}');
  expect(all).toMatch(/up: Up (Less than a|\d+) seconds?/);
  expect(all).toMatch(/done: Exited \(3\)/);
  expect(await docker('ps', '-aq', '--filter', 'label=kind=lasting')).toHaveLength(12);
  expect(await docker('ps', '-a', '--filter', 'status=exited', '--format', '{{.Names}}')).toBe('done');
  expect(await docker('ps', '-a', '--filter', 'name=^/up$', '--format', '{{.Names}}')).toBe('up');
  await docker('rm', '-f', 'up', 'done');
});

test('inspect tells how the container was made and how it does', async () => {
  await docker('create', '--name', 'card', '-e', 'A=b', '--label', 'l=1', '--restart', 'no', 'busybox', 'sleep', '9');
  const [card] = JSON.parse(await docker('inspect', 'card'));
  expect(card).toMatchObject({
    Name: '/card',
    Path: 'sleep',
    Args: ['9'],
    State: { Status: 'created', Running: false, Pid: 0, ExitCode: 0, StartedAt: '0001-01-01T00:00:00Z' },
    Config: { Image: 'busybox', Cmd: ['sleep', '9'], Labels: { l: '1' } },
    HostConfig: { NetworkMode: expect.stringMatching(/^(default|bridge)$/), RestartPolicy: { Name: 'no' } },
    Driver: 'overlay2',
    RestartCount: 0,
  });
  expect(card.Config.Env).toEqual(expect.arrayContaining(['A=b', 'PATH=/bin']));
  expect(card.Image).toMatch(/^sha256:[0-9a-f]{64}$/);
  await docker('rm', 'card');
});

test('stop sends the stop signal first and SIGKILL after the time given', async () => {
  const polite = "trap 'echo bye; exit 5' TERM; while :; do sleep 0.1; done";
  await docker('run', '-d', '--name', 'polite', 'busybox', 'sh', '-c', polite);
  await docker('run', '-d', '--name', 'deaf', 'busybox', 'sh', '-c', "trap '' TERM; while :; do sleep 0.1; done");
  await sleep(300);
  await docker('stop', '-t', '20', 'polite');
  expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'polite')).toBe('5');
  expect(await docker('logs', 'polite')).toBe('bye');
  await docker('stop', '-t', '1', 'deaf');
  expect(await docker('inspect', '-f', '{{.State.ExitCode}}', 'deaf')).toBe('137');
  await docker('rm', 'polite', 'deaf');
});

test('kill sends any signal by name or number', async () => {
  const script = "trap 'echo one' USR1; trap 'echo two' USR2; echo ready; while :; do sleep 0.1; done";
  await docker('run', '-d', '--name', 'target', 'busybox', 'sh', '-c', script);
  await eventually('the traps', async () => (await docker('logs', 'target')).includes('ready'));
  await docker('kill', '-s', 'USR1', 'target');
  await eventually('the first signal', async () => (await docker('logs', 'target')).includes('one'));
  await docker('kill', '-s', '12', 'target');
  await eventually('the second signal', async () => (await docker('logs', 'target')).includes('two'));
  await docker('kill', 'target');
  expect(await docker('wait', 'target')).toBe('137');
  await docker('rm', 'target');
});

test('a stopped container starts again with its files and its log', async () => {
  const script = 'echo x >> /kept; wc -l < /kept; sleep 600';
  await docker('run', '-d', '--name', 'again', '--stop-timeout', '1', 'busybox', 'sh', '-c', script);
  await eventually('the first line', async () => (await docker('logs', 'again')) === '1');
  await docker('restart', '-t', '0', 'again');
  await eventually('the second line', async () => (await docker('logs', 'again')) === '1\n2');
  await docker('rm', '-f', 'again');
});

test('start -a shows the output and returns the exit code', async () => {
  await docker('create', '--name', 'attached', 'busybox', 'sh', '-c', 'echo shown; exit 9');
  const result = await daemon().cli.run(['start', '-a', 'attached']);
  expect(result).toMatchObject({ code: 9, stdout: 'shown\n' });
  await docker('rm', 'attached');
});

test('pause holds a container and unpause lets it go on', async () => {
  const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done';
  await docker('run', '-d', '--name', 'held', 'busybox', 'sh', '-c', script);
  await docker('pause', 'held');
  expect(await state('held')).toBe('paused');
  expect(await docker('ps', '--format', '{{.Status}}', '--filter', 'name=held')).toContain('(Paused)');
  const before = await docker('logs', 'held');
  await sleep(400);
  expect(await docker('logs', 'held')).toBe(before);
  await docker('unpause', 'held');
  await eventually('more lines', async () => (await docker('logs', 'held')).length > before.length);
  await docker('rm', '-f', 'held');
});

test('rename gives a running container another name', async () => {
  await docker('run', '-d', '--name', 'old', 'busybox', 'sleep', '600');
  await docker('rename', 'old', 'new');
  expect(await docker('ps', '--format', '{{.Names}}')).toBe('new');
  expect((await daemon().cli.run(['inspect', '--type', 'container', 'old'])).code).toBe(1);
  await docker('run', '--rm', '--name', 'old', 'busybox', 'true');
  await docker('rm', '-f', 'new');
});

test('restart policies: on-failure counts, always comes back, a stop by hand is respected', async () => {
  await docker('run', '-d', '--name', 'twice', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'echo try; exit 4');
  await docker('run', '-d', '--name', 'clean', '--restart', 'on-failure', 'busybox', 'true');
  await docker('run', '-d', '--name', 'back', '--restart', 'always', 'busybox', 'sleep', '600');
  await eventually('two restarts', async () => (await docker('logs', 'twice')).split('\n').length === 3);
  await eventually('the end of the tries', async () => (await state('twice')) === 'exited');
  const twice = await docker('inspect', '-f', '{{.RestartCount}} {{.State.ExitCode}}', 'twice');
  expect(twice).toBe('2 4');
  expect(await docker('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'clean')).toBe('0 exited');
  const pid = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'back'));
  process.kill(pid, 'SIGKILL');
  const next = await eventually('the container to come back', async () => {
    const found = Number(await docker('inspect', '-f', '{{.State.Pid}}', 'back'));
    return found > 0 && found !== pid ? found : undefined;
  });
  expect(next).not.toBe(pid);
  await docker('stop', '-t', '0', 'back');
  await sleep(500);
  expect(await state('back')).toBe('exited');
  await docker('rm', '-f', 'twice', 'clean', 'back');
});

test('rm -v takes anonymous volumes along and leaves named ones', async () => {
  await docker('create', '--name', 'volumes', '-v', '/anonymous', '-v', 'named:/named', 'busybox', 'true');
  expect((await docker('volume', 'ls', '-q')).split('\n')).toHaveLength(2);
  await docker('rm', '-v', 'volumes');
  expect(await docker('volume', 'ls', '-q')).toBe('named');
  await docker('volume', 'rm', 'named');
});

test('a new named volume starts with what the image has at that place', async () => {
  await docker('run', '--rm', '-v', 'copied:/etc', 'busybox', 'true');
  expect(await docker('run', '--rm', '-v', 'copied:/x', 'busybox', 'cat', '/x/group')).toContain('root:x:0:');
  await docker('volume', 'rm', 'copied');
});

test('a volume in use cannot be removed', async () => {
  await docker('create', '--name', 'user', '-v', 'busy:/d', 'busybox', 'true');
  const result = await daemon().cli.run(['volume', 'rm', 'busy']);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/remove busy: volume is in use - \[[0-9a-f]{64}\]/);
  await docker('rm', 'user');
  await docker('volume', 'rm', 'busy');
});

test('attach sees the output from then on and passes keys in', async () => {
  await docker('run', '-d', '-i', '--name', 'echoes', 'busybox', 'cat');
  const client = daemon().cli.start(['attach', 'echoes']);
  await sleep(300);
  client.type('said\n');
  await client.shows(/said/);
  await docker('stop', '-t', '0', 'echoes');
  expect((await client.end()).code).toBe(137);
  await docker('rm', 'echoes');
});

test('events tell a container from create to destroy', async () => {
  const since = String(Date.now() / 1000);
  await docker('run', '--rm', '--name', 'watched', 'busybox', 'true');
  const args = ['events', '--since', since, '--until', String(Date.now() / 1000 + 1)];
  const lines = await docker(...args, '--filter', 'container=watched', '--format', '{{.Type}} {{.Action}}');
  const seen = lines.split('\n').filter((line) => line.startsWith('container '));
  expect(seen.map((line) => line.slice(10))).toEqual(['create', 'attach', 'start', 'die', 'destroy']);
});

test('a health check is shown and turns as the command says', async () => {
  const check = ['--health-cmd', 'test -f /well', '--health-interval', '300ms', '--health-retries', '2'];
  await docker('run', '-d', '--name', 'patient', ...check, 'busybox', 'sleep', '600');
  const health = () => docker('inspect', '-f', '{{.State.Health.Status}}', 'patient');
  expect(await health()).toMatch(/starting|unhealthy/);
  await eventually('the failing check to be noticed', async () => (await health()) === 'unhealthy');
  await docker('exec', 'patient', 'touch', '/well');
  await eventually('the passing check to be noticed', async () => (await health()) === 'healthy');
  expect(await docker('ps', '--format', '{{.Status}}', '--filter', 'health=healthy')).toContain('(healthy)');
  await docker('rm', '-f', 'patient');
});

test('cp copies files in and out of a container', async () => {
  const folder = daemon().folder;
  await docker('create', '--name', 'box', 'busybox', 'cat', '/etc/brought');
  writeFileSync(join(folder, 'brought'), 'from outside\n');
  await docker('cp', join(folder, 'brought'), 'box:/etc/brought');
  expect(await docker('start', '-a', 'box')).toBe('from outside');
  await docker('cp', 'box:/etc/brought', join(folder, 'back'));
  expect(readFileSync(join(folder, 'back'), 'utf8')).toBe('from outside\n');
  await docker('rm', 'box');
});
