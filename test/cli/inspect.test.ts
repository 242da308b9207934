import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const shown = (format: string, name: string) => docker('inspect', '-f', format, name);
const sleeper = (name: string, ...options: string[]) =>
  docker('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '600');

afterEach(() => daemon().removeEverything());

test('who joins the network of a container has its host name and domain from its start on', async () => {
  await sleeper('owner', '--hostname', 'shared', '--domainname', 'test.example');
  const id = await docker('create', '--name', 'guest', '--network', 'container:owner', 'busybox', 'sleep', '600');
  const names = '{{.Config.Hostname}} [{{.Config.Domainname}}]';
  expect(await shown(names, 'guest')).toBe(`${id.slice(0, 12)} []`);
  await docker('start', 'guest');
  expect(await shown(names, 'guest')).toBe('shared [test.example]');
  expect(await docker('exec', 'guest', 'sh', '-c', 'echo $HOSTNAME; hostname')).toBe('shared\nshared');
});

test('who shares the host’s UTS namespace keeps a host name of its own in its configuration and its hosts file', async () => {
  const id = (await sleeper('uts', '--uts', 'host')).slice(0, 12);
  expect(await shown('{{.Config.Hostname}}', 'uts')).toBe(id);
  expect(await docker('exec', 'uts', 'sh', '-c', 'echo $HOSTNAME; tail -1 /etc/hosts')).toMatch(
    new RegExp(`^${id}\n[0-9.]+\t${id}$`),
  );
});

test('a container that has ended still tells which networks it is on, and under which names', async () => {
  const network = await docker('network', 'create', 'kept');
  await sleeper('ended', '--network', 'kept', '--network-alias', 'other', '--stop-timeout', '0');
  const id = await shown('{{.Id}}', 'ended');
  const seen = '{{with .NetworkSettings.Networks.kept}}{{.NetworkID}} {{json .DNSNames}} [{{.IPAddress}}]{{end}}';
  await docker('stop', 'ended');
  expect(await shown(seen, 'ended')).toBe(`${network} ${JSON.stringify(['ended', 'other', id.slice(0, 12)])} []`);
});

test('lists that nobody gave are null, those that a client gave empty are empty, and the log has a path once it is written', async () => {
  const bare = (await daemon().api.post('/containers/create?name=bare', { Image: 'busybox' })).json<{ Id: string }>();
  const { HostConfig, LogPath } = (await daemon().api.get(`/containers/${bare.Id}/json`)).json();
  const lists = [
    'Dns',
    'DnsOptions',
    'DnsSearch',
    'Devices',
    'PortBindings',
    'BlkioWeightDevice',
    'BlkioDeviceReadBps',
  ];
  for (const field of lists) expect([field, HostConfig[field]]).toEqual([field, null]);
  expect(LogPath).toBe('');
  await docker('start', 'bare');
  expect(await shown('{{.LogPath}}', 'bare')).toMatch(/-json\.log$/);
  await docker('create', '--name', 'by-cli', 'busybox');
  expect(await shown('{{json .HostConfig.Dns}} {{json .HostConfig.PortBindings}}', 'by-cli')).toBe('[] {}');
});

test('volumes of another container come without the mode they were given there', async () => {
  await docker('create', '--name', 'donor', '-v', '/anonymous', '-v', 'data:/data:rw', 'busybox');
  await docker('create', '--name', 'taker', '--volumes-from', 'donor:ro', 'busybox');
  expect(await shown('{{range .Mounts}}[{{.Mode}}] {{.RW}};{{end}}', 'taker')).toBe('[] false;[] false;');
});

test('a mounted image is read-only whatever is asked, with a warning; a tmpfs of --mount is listed and one of --tmpfs is not', async () => {
  const mounts = [
    '--mount',
    'type=image,src=busybox,dst=/i,readonly=false',
    '--mount',
    'type=tmpfs,dst=/t',
    '--tmpfs=/u',
  ];
  const made = await daemon().cli.run(['run', '-d', '--name', 'mounts', ...mounts, 'busybox', 'sleep', '600']);
  expect(made.stderr).toBe('WARNING: Image mount is an experimental feature\n');
  expect(await shown('{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}},{{end}}', 'mounts')).toBe(
    'image busybox /i false,tmpfs  /t true,',
  );
  const refused = await daemon().cli.run(['exec', 'mounts', 'touch', '/i/file']);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('Read-only file system') });
});

test('links are told by both names on the default bridge, and by the endpoint elsewhere', async () => {
  await docker('network', 'create', 'own');
  await sleeper('one');
  await sleeper('two', '--link', 'one:uno', '--link', 'one');
  expect(await shown('{{json .HostConfig.Links}}', 'two')).toBe('["/one:/two/uno","/one:/two/one"]');
  await docker('network', 'connect', 'own', 'one');
  await sleeper('three', '--link', 'one:uno', '--network', 'own');
  expect(await shown('{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.own.Links}}', 'three')).toBe(
    'null ["one:uno"]',
  );
});

test('the MAC address that was asked for is in the configuration too', async () => {
  await sleeper('mac', '--mac-address', '02:42:0a:00:00:55');
  const seen = '{{.Config.MacAddress}} {{.NetworkSettings.MacAddress}}';
  expect(await shown(seen, 'mac')).toBe('02:42:0a:00:00:55 02:42:0a:00:00:55');
});

test('a process that is added to a container has its limits', async () => {
  // Not nofile: runc's own runtime raises its soft limit now and then, with any engine.
  await sleeper('limited', '--ulimit', 'memlock=65536:131072', '--ulimit', 'core=0');
  expect(await docker('exec', 'limited', 'sh', '-c', 'ulimit -l; ulimit -Hl; ulimit -c')).toBe('64\n128\n0');
});

test('removing a network that is in use names who uses it', async () => {
  await docker('network', 'create', 'busy');
  await sleeper('user', '--network', 'busy');
  const refused = await daemon().cli.run(['network', 'rm', 'busy']);
  expect(refused.stderr).toMatch(
    /error while removing network: network busy has active endpoints \(name:"user" id:"[0-9a-f]{12}"\)/,
  );
});
