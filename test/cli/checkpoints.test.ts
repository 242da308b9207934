import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, startContainer } from '../support/containers';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { testUnless } from '../support/test-unless';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything(), config: { experimental: true } });
const api = () => daemon().api;
const docker = (...args: string[]) => daemon().cli.ok(...args);
const state = async (name: string) => (await api().get(`/containers/${name}/json`)).json().State;
const folder = (id: string) => join(daemon().dataRoot, 'containers', id, 'checkpoints');

const check = spawnSync('criu', ['check'], { encoding: 'utf8' });
const unfit = check.status !== 0 && `criu does not work on this machine: ${/: (.+)/.exec(check.stderr ?? '')?.[1]}`;

/** Counts aloud; who goes on from a checkpoint does not begin at one again. */
const COUNT = { Cmd: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo "n$i"; sleep 0.1; done'] };
const counted = async (name: string) => (await docker('logs', name)).split('\n').map((line) => Number(line.slice(1)));

testUnless(unfit)('the processes of a container go on from a checkpoint, as often as it is asked', async () => {
  const id = await startContainer(daemon(), { ...COUNT, HostConfig: { NetworkMode: 'bridge' } }, 'counter');
  await eventually('a count', async () => (await counted('counter')).length > 3);
  expect(await docker('checkpoint', 'create', 'counter', 'one')).toBe('one');
  await eventually('its end', async () => (await state('counter')).Status === 'exited');
  expect((await state('counter')).ExitCode).toBe(137);
  const before = Math.max(...(await counted('counter')));
  expect(await docker('checkpoint', 'ls', 'counter')).toMatch(/^CHECKPOINT NAME\none$/);

  await docker('start', '--checkpoint', 'one', 'counter');
  expect((await state('counter')).Running).toBe(true);
  await eventually('the count to go on', async () => Math.max(...(await counted('counter'))) > before + 2);
  expect((await counted('counter')).filter((n) => n === 1)).toHaveLength(1);
  expect(await docker('exec', 'counter', 'cat', '/proc/1/comm')).toBe('sh');

  await docker('checkpoint', 'create', '--leave-running', 'counter', 'two');
  const { Pid } = await state('counter');
  await daemon().kill();
  await daemon().start();
  expect(await state('counter')).toMatchObject({ Running: true, Pid });
  await docker('rm', '-f', 'counter');
  expect(existsSync(folder(id))).toBe(false);
});

testUnless(unfit)('a checkpoint may lie anywhere and is deleted when that is asked', async () => {
  await startContainer(daemon(), { ...COUNT, HostConfig: { NetworkMode: 'none' } }, 'elsewhere');
  const place = join(daemon().folder, 'checkpoints');
  await docker('checkpoint', 'create', '--checkpoint-dir', place, 'elsewhere', 'far');
  expect(existsSync(join(place, 'far'))).toBe(true);
  expect((await api().get(`/containers/elsewhere/checkpoints?dir=${place}`)).json()).toEqual([{ Name: 'far' }]);
  await eventually('its end', async () => (await state('elsewhere')).Status === 'exited');
  await docker('start', '--checkpoint', 'far', '--checkpoint-dir', place, 'elsewhere');
  await docker('checkpoint', 'rm', '--checkpoint-dir', place, 'elsewhere', 'far');
  expect(existsSync(join(place, 'far'))).toBe(false);
  await docker('rm', '-f', 'elsewhere');
});

testUnless(!unfit && 'criu works here')(
  'where criu cannot work a checkpoint is refused with its reason, and the container goes on',
  async () => {
    const id = await startContainer(daemon(), {}, 'going');
    const { Pid } = await state('going');
    const refused = await api().post('/containers/going/checkpoints', { CheckpointID: 'one' });
    expect(refused.status).toBe(501);
    expect(refused.json().message).toMatch(/^Cannot checkpoint container going: checkpoints need criu, which .+/);
    expect((await daemon().cli.run(['checkpoint', 'create', 'going', 'one'])).stderr).toContain('need criu');
    expect(await state('going')).toMatchObject({ Running: true, Pid });
    expect((await api().get('/containers/going/checkpoints')).json()).toEqual([]);
    expect(existsSync(join(folder(id), 'one'))).toBe(false);
    await docker('rm', '-f', 'going');
  },
);

test('what cannot be a checkpoint is refused, and nothing is left of it', async () => {
  const refusal = async (name: string, body: object) => {
    const { status, text } = await api().post(`/containers/${name}/checkpoints`, body);
    return `${status} ${text}`;
  };
  const id = await createContainer(daemon(), {}, 'asleep');
  const terminal = await startContainer(daemon(), { Tty: true }, 'terminal');
  expect(await refusal('asleep', { CheckpointID: 'one' })).toMatch(/^409 .*not running/);
  expect(await refusal('terminal', { CheckpointID: 'one' })).toMatch(/^400 .*not supported on containers with tty/);
  expect(await refusal('terminal', { CheckpointID: '../one' })).toMatch(/^400 .*Invalid checkpoint ID \(\.\.\/one\)/);
  expect(await refusal('terminal', { CheckpointID: 'one', CheckpointDir: 'x' })).toMatch(/^400 .*absolute path/);
  expect(await refusal('nobody', { CheckpointID: 'one' })).toMatch(/^404 .*No such container: nobody/);
  expect((await api().delete('/containers/asleep/checkpoints/one')).status).toBe(404);
  expect((await api().post('/containers/asleep/start?checkpoint=one')).status).toBe(404);
  expect((await state('asleep')).Status).toBe('created');
  expect([folder(id), folder(terminal)].filter(existsSync)).toEqual([]);
  await docker('rm', '-f', 'asleep', 'terminal');
});
