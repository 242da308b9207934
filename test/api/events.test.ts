import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { busyboxImage, dockerArchive } from '../support/images';
import { startRegistry, type TestRegistry } from '../support/registry';

interface Told {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: string;
  time: number;
  timeNano: number;
  status?: string;
  id?: string;
  from?: string;
}

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());

const docker = (...args: string[]) => daemon().cli.ok(...args);
const now = () => (Date.now() / 1000).toFixed(3);
const id64 = /^[0-9a-f]{64}$/;
const imageId = /^sha256:[0-9a-f]{64}$/;

async function past(query: string): Promise<Told[]> {
  const text = (await daemon().api.get(`/v1.51/events?${query}`)).text;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** What happened while this ran, once the last of these actions is among it. */
async function during(last: string, work: () => Promise<unknown>): Promise<Told[]> {
  const since = now();
  await work();
  return eventually(`the event ${last}`, async () => {
    const told = await past(`since=${since}&until=${now()}`);
    return told.some(({ Type, Action }) => `${Type} ${Action}` === last) && told;
  });
}

/** `type action` → attributes, in order, for a table that can be read. */
const table = (told: Told[]) => told.map(({ Type, Action, Actor }) => [`${Type} ${Action}`, Actor.Attributes]);

test('the life of a container', async () => {
  const web = { image: 'busybox', name: 'web', tier: 'front' };
  const told = await during('container destroy', async () => {
    const { api } = daemon();
    await docker(
      'create',
      '-t',
      '--name',
      'web',
      '--label',
      'tier=front',
      '-v',
      'data:/data:ro',
      'busybox',
      'sleep',
      '60',
    );
    await docker('start', 'web');
    await docker('exec', 'web', 'true');
    await docker('exec', 'web', 'sh', '-c', 'exit 3').catch(() => {});
    await docker('top', 'web');
    expect((await api.post('/containers/web/resize?h=40&w=120')).text).toBe('');
    await docker('pause', 'web');
    await docker('unpause', 'web');
    await docker('update', '--cpu-shares', '512', 'web');
    await docker('rename', 'web', 'site');
    await docker('rename', 'site', 'web');
    await docker('kill', '-s', 'CONT', 'web');
    await docker('restart', '-t', '0', 'web');
    await docker('stop', '-t', '0', 'web');
    await docker('cp', 'web:/etc/passwd', '-');
    await api.request('PUT', '/containers/web/archive?path=/tmp', {
      body: Buffer.alloc(1024),
      headers: { 'Content-Type': 'application/x-tar' },
    });
    await api.get('/containers/web/export');
    await docker('commit', '-m', 'note', 'web', 'made:1');
    await docker('rm', '-v', 'web');
  });
  const containers = told.filter(({ Type }) => Type === 'container');
  const execs = [0, 1].map(
    (n) => containers.filter(({ Action }) => Action === 'exec_die')[n]!.Actor.Attributes.execID!,
  );
  expect(execs.every((each) => id64.test(each))).toBe(true);
  const madeId = containers.find(({ Action }) => Action === 'commit')!.Actor.Attributes.imageID;
  expect(madeId).toMatch(imageId);
  const die = { exitCode: '137', execDuration: expect.stringMatching(/^\d+$/) };
  const stopped = [
    ['container kill', { ...web, signal: '15' }],
    ['container kill', { ...web, signal: '9' }],
    ['container die', { ...web, ...die }],
    ['container stop', web],
  ];
  expect(table(containers)).toEqual([
    ['container create', web],
    ['container start', web],
    ['container exec_create: true ', { ...web, execID: execs[0] }],
    ['container exec_start: true ', { ...web, execID: execs[0] }],
    ['container exec_die', { ...web, execID: execs[0], exitCode: '0' }],
    ['container exec_create: sh -c exit 3', { ...web, execID: execs[1] }],
    ['container exec_start: sh -c exit 3', { ...web, execID: execs[1] }],
    ['container exec_die', { ...web, execID: execs[1], exitCode: '3' }],
    ['container top', web],
    ['container resize', { ...web, height: '40', width: '120' }],
    ['container pause', web],
    ['container unpause', web],
    ['container update', web],
    ['container rename', { ...web, name: 'site', oldName: '/web' }],
    ['container rename', { ...web, oldName: '/site' }],
    ['container kill', { ...web, signal: '18' }],
    ...stopped,
    ['container start', web],
    ['container restart', web],
    ...stopped,
    ['container archive-path', web],
    ['container extract-to-dir', web],
    ['container export', web],
    ['container commit', { ...web, comment: 'note', imageID: madeId, imageRef: expect.stringContaining('made:1') }],
    ['container destroy', web],
  ]);
  expect(new Set(containers.map(({ Actor }) => Actor.ID)).size).toBe(1);
  for (const each of told) {
    expect(each).toMatchObject({ scope: 'local', time: Math.floor(each.timeNano / 1e9) });
    if (each.Type === 'container')
      expect(each).toMatchObject({ status: each.Action, id: each.Actor.ID, from: 'busybox' });
    else if (each.Type !== 'image') expect(each).not.toHaveProperty('status');
  }
  const container = containers[0]!.Actor.ID;
  const volumes = told.filter(({ Type }) => Type === 'volume');
  const mount = { driver: 'local', container, destination: '/data', 'read/write': 'false', propagation: '' };
  const run = [
    ['volume mount', mount],
    ['volume unmount', { driver: 'local', container }],
  ];
  expect(table(volumes.filter(({ Actor }) => Actor.ID === 'data'))).toEqual([
    ['volume create', { driver: 'local' }],
    ...run,
    ...run,
    // Looking into a container that does not run needs its volumes: the copies out and in.
    ...run,
    ...run,
  ]);
  const networks = told.filter(({ Type }) => Type === 'network');
  const link = { container, name: 'bridge', type: 'bridge' };
  expect(table(networks)).toEqual([
    ['network connect', link],
    ['network disconnect', link],
    ['network connect', link],
    ['network disconnect', link],
  ]);
});

test('attach, detach, and an end in their order', async () => {
  const told = await during('container destroy', () => docker('run', '--rm', '--name', 'once', 'busybox', 'true'));
  expect(table(told).map(([what]) => what)).toEqual([
    'container create',
    'container attach',
    'network connect',
    'container start',
    'network disconnect',
    'container die',
    'container destroy',
  ]);
  const { api } = daemon();
  const ends = await during('container exec_die', async () => {
    await docker('run', '-dit', '--name', 'held', 'busybox', 'cat');
    const attached = await api.hijack('/containers/held/attach?stream=1&stdin=1&stdout=1&detachKeys=a');
    attached.socket.write('a');
    await new Promise((resolve) => attached.socket.once('close', resolve).resume());
    const config = { Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: true, DetachKeys: 'a' };
    const { Id } = (await api.post('/containers/held/exec', config)).json();
    const exec = await api.hijack(`/exec/${Id}/start`, { Tty: true });
    exec.socket.write('a');
    await new Promise((resolve) => exec.socket.once('close', resolve).resume());
    await docker('rm', '-f', 'held');
  });
  const held = { image: 'busybox', name: 'held' };
  const execID = expect.stringMatching(id64);
  expect(table(ends).filter(([what]) => /tach/.test(what as string))).toEqual([
    ['container attach', held],
    ['container detach', held],
    ['container exec_detach', { ...held, execID }],
  ]);
});

test('images', async () => {
  const { api } = daemon();
  const remote = `${registry.host}/team/box`;
  const told = await during('image prune', async () => {
    await docker('tag', 'busybox:latest', `${remote}:1`);
    await docker('push', '-q', `${remote}:1`);
    await docker('rmi', `${remote}:1`);
    await docker('pull', '-q', `${remote}:1`);
    await api.get(`/images/get?names=${encodeURIComponent(`${remote}:1`)}`);
    await docker('rmi', `${remote}:1`);
    const labelled = dockerArchive({ ...busyboxImage(), tags: ['other:1'] } as never);
    await api.post('/images/load?quiet=1', undefined, {
      body: labelled,
      headers: { 'Content-Type': 'application/x-tar' },
    });
    await api.post('/images/create?fromSrc=-&repo=imported&tag=1', undefined, {
      body: Buffer.alloc(1024),
      headers: { 'Content-Type': 'application/x-tar' },
    });
    await docker('rmi', 'imported:1');
    await docker('image', 'prune', '-f');
  });
  const images = told.filter(({ Type }) => Type === 'image');
  const shown = images.map(({ Action, Actor }) => [
    Action,
    imageId.test(Actor.ID) ? 'id' : Actor.ID,
    imageId.test(Actor.Attributes.name ?? '') ? 'id' : Actor.Attributes.name,
  ]);
  expect(shown.filter(([action]) => action !== 'load')).toEqual([
    ['tag', 'id', `${remote}:1`],
    ['push', `${remote}:1`, remote],
    ['untag', 'id', 'id'],
    ['pull', `${remote}:1`, remote],
    ['save', 'id', 'id'],
    ['untag', 'id', 'id'],
    ['tag', 'id', 'imported:1'],
    ['import', 'id', 'id'],
    ['untag', 'id', 'id'],
    ['delete', 'id', 'id'],
    ['prune', '', undefined],
  ]);
  expect(shown).toContainEqual(['load', 'id', expect.anything()]);
  expect(images.at(-1)!.Actor.Attributes).toEqual({ reclaimed: expect.stringMatching(/^\d+$/) });
  expect(images[0]).toMatchObject({ status: 'tag', id: images[0]!.Actor.ID });
  expect(images[0]).not.toHaveProperty('from');
});

test('networks and volumes, and what prunes say', async () => {
  const told = await during('volume prune', async () => {
    await docker('network', 'create', '--label', 'a=b', 'lan');
    await docker('run', '-d', '--name', 'member', 'busybox', 'sleep', '60');
    await docker('network', 'connect', 'lan', 'member');
    await docker('network', 'disconnect', 'lan', 'member');
    await docker('rm', '-f', 'member');
    await docker('network', 'rm', 'lan');
    await docker('volume', 'create', 'kept');
    await docker('volume', 'rm', 'kept');
    await docker('container', 'prune', '-f');
    await docker('network', 'prune', '-f');
    await docker('volume', 'prune', '-f');
  });
  const container = told.find(({ Type, Action }) => Type === 'container' && Action === 'create')!.Actor.ID;
  const lan = { name: 'lan', type: 'bridge' };
  const related = told.filter(({ Type, Actor }) => Type !== 'container' && Actor.Attributes.name !== 'bridge');
  const reclaimed = expect.stringMatching(/^\d+$/);
  expect(table(related)).toEqual([
    ['network create', lan],
    ['network connect', { ...lan, container }],
    ['network disconnect', { ...lan, container }],
    ['network destroy', lan],
    ['volume create', { driver: 'local' }],
    ['volume destroy', { driver: 'local' }],
    ['network prune', { reclaimed: '0' }],
    ['volume prune', { reclaimed }],
  ]);
  expect(table(told)).toContainEqual(['container prune', { reclaimed }]);
  expect(related[0]!.Actor.ID).toMatch(id64);
});

test('health and running out of memory', async () => {
  const told = await during('container oom', async () => {
    await docker(
      'run',
      '-d',
      '--name',
      'fit',
      '--health-cmd',
      'true',
      '--health-interval',
      '100ms',
      'busybox',
      'sleep',
      '60',
    );
    const hungry = ['sh', '-c', 'x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | tr "\\0" x); echo ${#x}'];
    await docker('run', '--name', 'hungry', '-m', '16m', '--memory-swap', '16m', 'busybox', ...hungry).catch(() => {});
  });
  const since = told[0]!.time;
  await eventually(
    'the health status',
    async () => (await past(`since=${since}&until=${now()}&filters={"event":["health_status"]}`)).length > 0,
  );
  const health = await past(`since=${since}&until=${now()}&filters={"event":["health_status"],"container":["fit"]}`);
  expect(table(health)).toEqual([['container health_status: healthy', { image: 'busybox', name: 'fit' }]]);
  expect(table(told)).toContainEqual(['container oom', { image: 'busybox', name: 'hungry' }]);
  await docker('rm', '-f', 'fit', 'hungry');
});

test('a reload of the configuration', async () => {
  const [reload] = await during('daemon reload', async () => {
    process.kill(daemon().pid, 'SIGHUP');
  });
  expect(reload!.Actor.ID).toBe((await daemon().api.get('/info')).json().ID);
  expect(reload!.Actor.Attributes).toMatchObject({ name: expect.any(String), debug: 'false', labels: '[]' });
});

test('the past survives a restart and a kill, to the nanosecond', async () => {
  await docker('volume', 'create', 'before');
  const [created] = await past(`since=0&until=${now()}&filters={"volume":["before"]}`);
  const nano = /"timeNano":(\d+)/.exec(
    (await daemon().api.get(`/events?since=0&until=${now()}&filters={"volume":["before"]}`)).text,
  )![1]!;
  await daemon().kill();
  await daemon().start();
  const at = (digits: string) => `${digits.slice(0, -9)}.${digits.slice(-9)}`;
  const since = (digits: string) => past(`since=${at(digits)}&until=${now()}&filters={"volume":["before"]}`);
  expect(await since(nano)).toEqual([created]);
  expect(await since(String(BigInt(nano) + 1n))).toEqual([]);
  await docker('volume', 'rm', 'before');
  expect((await since(nano)).map(({ Action }) => Action)).toEqual(['create', 'destroy']);
  expect(
    await docker('events', '--since', at(nano), '--until', now(), '--format', '{{.Action}}', '-f', 'volume=before'),
  ).toBe('create\ndestroy');
});
