import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const api = () => daemon().api;
const says = async (...args: string[]) => {
  const { code, stderr } = await daemon().cli.run(args);
  return { code, stderr: stderr.trim() };
};

test('exec takes every flag the client has', async () => {
  await docker('run', '-d', '--name', 'host', '-u', '1000', '-w', '/etc', 'busybox', 'sleep', '600');
  const file = join(daemon().folder, 'env');
  writeFileSync(file, 'FROM_FILE=1\n# comment\nOTHER=a b\n');
  const env = ['--env-file', file, '-e', 'GIVEN=2', '--env', 'OTHER'];
  expect(await docker('exec', ...env, 'host', 'sh', '-c', 'echo $FROM_FILE $GIVEN "[$OTHER]" $PWD $(id -u)')).toBe(
    '1 2 [a b] /etc 1000',
  );
  const caps = 'grep CapEff /proc/self/status';
  const plain = await docker('exec', '-u', '0', 'host', 'sh', '-c', caps);
  const privileged = await docker(
    'exec',
    '--privileged',
    '--user',
    '0:0',
    '--workdir',
    '/tmp',
    'host',
    'sh',
    '-c',
    caps,
  );
  expect(BigInt(`0x${privileged.split('\t')[1]}`)).toBeGreaterThan(BigInt(`0x${plain.split('\t')[1]}`));
  const terminal = daemon().cli.startOnTerminal(['exec', '-it', '--detach-keys', 'ctrl-x,x', 'host', 'sh']);
  await terminal.shows(/\$ /);
  terminal.type('\x18x');
  await terminal.end();
  await docker('exec', '-d', '-u', '0', 'host', 'sh', '-c', 'echo made >/made');
  await eventually(
    'the detached exec',
    async () => (await daemon().cli.run(['exec', 'host', 'cat', '/made'])).code === 0,
  );
  await docker('rm', '-f', 'host');
});

test('an exec can be inspected while it runs and after it has ended', async () => {
  await docker('run', '-d', '--name', 'host', 'busybox', 'sleep', '600');
  const body = { Cmd: ['sh', '-c', 'sleep 30'], Tty: true, AttachStdout: true, User: 'nobody', DetachKeys: 'ctrl-a' };
  const { Id } = (await api().post('/containers/host/exec', body)).json();
  const inspect = async () => (await api().get(`/exec/${Id}/json`)).json();
  expect(await inspect()).toMatchObject({ ID: Id, Running: false, ExitCode: null, Pid: 0, OpenStdout: true });
  expect((await api().post(`/exec/${Id}/resize?h=5&w=6`)).status).toBe(409);
  expect((await api().post(`/exec/${Id}/start`, { Detach: true, Tty: true })).status).toBe(200);
  const running = await inspect();
  expect(running).toMatchObject({
    Running: true,
    ExitCode: null,
    ProcessConfig: { tty: true, entrypoint: 'sh', arguments: ['-c', 'sleep 30'], privileged: false, user: 'nobody' },
    ContainerID: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect((await api().get('/containers/host/json')).json().ExecIDs).toEqual([Id]);
  expect((await api().post(`/exec/${Id}/resize?h=24&w=80`)).status).toBe(200);
  expect((await api().post(`/exec/${Id}/start`, { Detach: true })).status).toBe(409);
  process.kill(running.Pid, 'SIGKILL');
  await eventually('its end', async () => (await inspect()).Running === false);
  expect(await inspect()).toMatchObject({ ExitCode: 137, CanRemove: false });
  expect((await api().get('/exec/nothing/json')).json()).toEqual({ message: 'No such exec instance: nothing' });
  await docker('rm', '-f', 'host');
});

test('a pause in the middle of the start of an exec holds up neither', async () => {
  await docker('run', '-d', '--name', 'held', '--network', 'none', 'busybox', 'sleep', '600');
  for (let round = 0; round < 10; round++) {
    const { Id } = (await api().post('/containers/held/exec', { Cmd: ['true'] })).json();
    const started = api().post(`/exec/${Id}/start`, { Detach: true });
    await new Promise((resolve) => setTimeout(resolve, round * 4));
    expect((await api().post('/containers/held/pause')).status).toBe(204);
    expect([200, 409]).toContain((await started).status);
    expect((await api().post('/containers/held/unpause')).status).toBe(204);
  }
  await docker('pause', 'held');
  await docker('rm', '-f', 'held');
});

test('what does not run or is paused says so, in dockerd’s words', async () => {
  const id = await docker('run', '-d', '--name', 'held', 'busybox', 'sleep', '600');
  await docker('pause', 'held');
  expect(await says('exec', 'held', 'true')).toEqual({
    code: 1,
    stderr: 'Error response from daemon: Container held is paused, unpause the container before exec',
  });
  expect((await says('attach', 'held')).stderr).toContain('cannot attach to a paused container');
  expect((await says('start', 'held')).stderr).toContain('cannot start a paused container, try unpause instead');
  expect((await says('pause', 'held')).stderr).toContain(`Container ${id} is already paused`);
  expect((await says('rm', 'held')).stderr).toContain(
    'cannot remove container "held": container is paused and must be unpaused first',
  );
  const attach = await api().post('/containers/held/attach?stream=1');
  expect(attach).toMatchObject({ status: 409 });
  expect(attach.json().message).toBe('container held is paused, unpause the container before attach');
  await docker('unpause', 'held');
  const exec = (await api().post('/containers/held/exec', { Cmd: ['true'] })).json();
  expect((await says('unpause', 'held')).stderr).toContain(`Container ${id} is not paused`);
  expect((await says('rm', 'held')).stderr).toContain(
    'cannot remove container "held": container is running: stop the container before removing or force remove',
  );
  await docker('stop', '-t', '0', 'held');
  expect(await says('exec', 'held', 'true')).toEqual({
    code: 1,
    stderr: `Error response from daemon: container ${id} is not running`,
  });
  // What was not started in this run never will be.
  expect((await api().post(`/exec/${exec.Id}/start`, {})).status).toBe(404);
  expect((await says('kill', 'held')).stderr).toContain(`cannot kill container: held: container ${id} is not running`);
  expect((await says('pause', 'held')).stderr).toContain(`container ${id} is not running`);
  expect((await api().post('/containers/held/stop')).status).toBe(304);
  expect((await says('kill', '-s', 'NOPE', 'held')).stderr).toContain(
    'cannot kill container: held: invalid signal: NOPE',
  );
  expect((await says('kill', '-s', '99', 'held')).stderr).toContain(
    'cannot kill container: held: the linux daemon does not support signal 99',
  );
  expect((await says('rename', 'held', 'held')).stderr).toContain(
    'Renaming a container with the same name as its current name',
  );
  expect((await api().post('/containers/held/resize?h=1&w=1')).status).toBe(409);
  await docker('rm', 'held');
});

test('attach takes every flag the client has', async () => {
  const script = 'trap "echo got; exit 9" INT; echo ready; while :; do sleep 0.05; done';
  await docker('run', '-d', '-it', '--name', 'tty', 'busybox', 'sh');
  const detaching = daemon().cli.startOnTerminal(['attach', '--detach-keys', 'a,b', 'tty']);
  await detaching.shows(/[#$] /);
  detaching.type('ab');
  await detaching.end();
  expect(await docker('inspect', '-f', '{{.State.Running}}', 'tty')).toBe('true');
  await docker('run', '-d', '-i', '--name', 'plain', 'busybox', 'sh', '-c', script);
  await eventually('the trap', async () => (await docker('logs', 'plain')).includes('ready'));
  const deaf = daemon().cli.start(['attach', '--no-stdin', '--sig-proxy=false', 'plain']);
  const proxy = daemon().cli.start(['attach', '--no-stdin', 'plain']);
  const filter = encodeURIComponent(JSON.stringify({ container: ['plain'], event: ['attach'] }));
  await eventually('both clients', async () => {
    const until = Math.ceil(Date.now() / 1000) + 1;
    const { text } = await api().get(`/events?since=1&until=${until}&filters=${filter}`);
    return text.trim().split('\n').length === 2;
  });
  proxy.child.kill('SIGINT');
  expect(await proxy.end()).toMatchObject({ code: 9, stdout: 'got\n' });
  expect(await deaf.end()).toMatchObject({ code: 9, stdout: 'got\n' });
  await docker('rm', '-f', 'tty', 'plain');
});

test('start, stop and restart take every flag; restart keeps a container that is to be removed', async () => {
  const script = 'trap "exit 11" INT; read line; echo "read $line"; while :; do sleep 0.05; done';
  await docker('create', '-i', '--name', 'asked', 'busybox', 'sh', '-c', script);
  const client = daemon().cli.start(['start', '-a', '-i', '--detach-keys', 'ctrl-q', 'asked']);
  client.type('this\n');
  await client.shows(/read this/);
  await docker('stop', '-s', 'INT', '-t', '20', 'asked');
  expect((await client.end()).code).toBe(11);
  await docker('rm', 'asked');
  await docker(
    'run',
    '-d',
    '--rm',
    '--name',
    'again',
    'busybox',
    'sh',
    '-c',
    'trap "exit 0" USR1; while :; do sleep 0.05; done',
  );
  const pid = () => docker('inspect', '-f', '{{.State.Pid}}', 'again');
  const first = await pid();
  await docker('restart', '-s', 'KILL', '-t', '5', 'again');
  expect(await pid()).not.toBe(first);
  await docker('rm', '-f', 'again');
});

test('wait knows its three conditions', async () => {
  const { Id } = (
    await api().post('/containers/create?name=waited', { Image: 'busybox', Cmd: ['sh', '-c', 'exit 5'] })
  ).json();
  const wait = async (condition: string) => (await api().post(`/containers/waited/wait?condition=${condition}`)).json();
  expect(await wait('not-running')).toEqual({ StatusCode: 0 });
  const next = wait('next-exit');
  const removed = wait('removed');
  // Both must be listened to before it starts: their headers tell, but not to this client.
  await eventually('a start and its end', async () => {
    await api().post('/containers/waited/start');
    return (await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 300, undefined))])) !== undefined;
  });
  expect(await next).toEqual({ StatusCode: 5 });
  expect(await docker('wait', Id, 'waited')).toBe('5\n5');
  await docker('rm', '-f', 'waited');
  expect(await removed).toEqual({ StatusCode: 5 });
  await docker('run', '-d', '--rm', '--name', 'fleeting', 'busybox', 'sh', '-c', 'sleep 0.3; exit 6');
  expect((await api().post('/containers/fleeting/wait?condition=removed')).json()).toEqual({ StatusCode: 6 });
  expect((await says('wait', 'fleeting')).code).toBe(1);
});
