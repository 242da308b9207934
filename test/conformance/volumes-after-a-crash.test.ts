import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite();
const docker = async (...args: string[]) => {
  const { code, stdout, stderr } = await daemon().cli.run(args);
  return { code, said: `${stdout}${stderr}`.trim() };
};
const mounted = (path: string) => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);

test('a mounted volume outlives the daemon with its container, and goes with its last user', async () => {
  await docker(
    'volume',
    'create',
    '--label',
    'tier=gold',
    '-o',
    'type=tmpfs',
    '-o',
    'device=tmpfs',
    '-o',
    'o=size=1m',
    'scratch',
  );
  const path = join(daemon().dataRoot, 'volumes/scratch/_data');
  const { said: id } = await docker(
    'run',
    '-d',
    '-v',
    'scratch:/s',
    'busybox',
    'sh',
    '-c',
    'echo before > /s/file; sleep 600',
  );
  await eventually('the file', async () => (await docker('exec', id, 'cat', '/s/file')).said === 'before');
  await daemon().kill();
  expect(mounted(path)).toBe(true);
  await daemon().start();
  expect((await docker('volume', 'inspect', '-f', '{{.Labels.tier}}', 'scratch')).said).toBe('gold');
  // The same file system, not a second one on top.
  expect((await docker('run', '--rm', '-v', 'scratch:/s', 'busybox', 'cat', '/s/file')).said).toBe('before');
  expect((await docker('volume', 'rm', '-f', 'scratch')).said).toContain(`volume is in use - [${id}]`);
  await docker('rm', '-f', id);
  expect(mounted(path)).toBe(false);
  expect(await docker('volume', 'rm', 'scratch')).toMatchObject({ code: 0 });
});

test('creations and removals cut short by a kill leave whole volumes or none', async () => {
  for (let round = 0; round < 3; round++) {
    const names = Array.from({ length: 12 }, (_, index) => `cut-${round}-${index}`);
    const acknowledged = new Set<string>();
    const work = names.map(async (name) => {
      const created = await daemon().api.post('/volumes/create', { Name: name, Labels: { round: String(round) } });
      if (created.status === 201) acknowledged.add(name);
    });
    await new Promise((resolve) => setTimeout(resolve, 5 * round));
    await daemon().kill();
    await Promise.allSettled(work);
    await daemon().start();
    const { Volumes } = (await daemon().api.get('/volumes')).json<{ Volumes: { Name: string; Labels: unknown }[] }>();
    const listed = new Map(Volumes.map((volume) => [volume.Name, volume.Labels]));
    for (const name of acknowledged) expect([name, listed.get(name)]).toEqual([name, { round: String(round) }]);
    for (const { Name } of Volumes) expect((await daemon().api.delete(`/volumes/${Name}`)).status).toBe(204);
  }
  const left = readdirSync(join(daemon().dataRoot, 'volumes'));
  expect(left.filter((name) => name !== '.records')).toEqual([]);
  expect(readdirSync(join(daemon().dataRoot, 'volumes/.records'))).toEqual([]);
});
