import { expect, test } from '@jest/globals';
import { shownHostConfig } from '../api/shown-config';
import { withPropagation } from '../create/daemon-root';
import { anonymousVolume, parseBind, parseMount, parseVolumesFrom } from '../create/mounts';
import { parseExposedPorts, parsePort, parsePortBindings } from '../create/ports';
import { hostConfig } from './documents';

test('a bind names a host path, a volume or nothing', () => {
  expect(parseBind('/a/../b:/c/:ro,rslave', '')).toMatchObject({
    type: 'bind',
    source: '/b',
    destination: '/c',
    readWrite: false,
    propagation: 'rslave',
    createSource: true,
  });
  expect(parseBind('data:/d:nocopy', 'nfs')).toMatchObject({
    type: 'volume',
    name: 'data',
    driver: 'nfs',
    copyUp: false,
    readWrite: true,
  });
  expect(parseBind('/d', '')).toMatchObject({ type: 'volume', name: '', anonymous: true, destination: '/d' });
});

test.each([
  ['', "invalid volume specification: ''"],
  ['a:b:c:d', "invalid volume specification: 'a:b:c:d'"],
  ['/foo:rw', "invalid volume specification: '/foo:rw'"],
  ['/a:/b:nope', 'invalid mode: nope'],
  ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
  ['/a:b', "invalid mount path: 'b' mount path must be absolute"],
  ['/a:/', "destination can't be '/'"],
])('the bind %s is refused', (spec, message) => {
  expect(() => parseBind(spec, '')).toThrow(message);
});

test('a path of an image that is not absolute begins at the root', () => {
  expect(anonymousVolume('data/sub', '')).toMatchObject({ destination: '/data/sub', anonymous: true });
  expect(() => anonymousVolume('/', '')).toThrow("invalid volume path: '/'");
});

test.each([
  [{ ReadOnlyNonRecursive: true }, false, '!ReadOnly && BindOptions.ReadOnlyNonRecursive'],
  [{ ReadOnlyForceRecursive: true }, false, '!ReadOnly && BindOptions.ReadOnlyForceRecursive'],
  [
    { ReadOnlyForceRecursive: true, ReadOnlyNonRecursive: true },
    true,
    'ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive',
  ],
])('a bind with %j is refused when its read-only is %s', async (BindOptions, ReadOnly, conflict) => {
  await expect(parseMount({ Type: 'bind', Source: '/', Target: '/x', ReadOnly, BindOptions })).rejects.toThrow(
    `mount options conflict: ${conflict}`,
  );
});

test('what a client only named of a mount is not shown', () => {
  const Mounts = [
    { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: false, BindOptions: { Propagation: '' } },
    { Type: 'tmpfs', Source: '', Target: '/t' },
  ];
  expect(shownHostConfig(hostConfig({ Mounts })).Mounts).toEqual([
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: {} },
    { Type: 'tmpfs', Target: '/t' },
  ]);
});

test('a mount whose source is missing is refused, unless it is to be made', async () => {
  const Source = '/nowhere/at-all';
  await expect(parseMount({ Type: 'bind', Source, Target: '/x' })).rejects.toThrow(
    'invalid mount config for type "bind": bind source path does not exist: /nowhere/at-all',
  );
  await expect(
    parseMount({ Type: 'bind', Source, Target: '/x', BindOptions: { CreateMountpoint: true } }),
  ).resolves.toMatchObject({ createSource: true });
});

test('a bind takes nothing that only volumes have, and a volume nothing that only binds have', () => {
  expect(() => parseBind('/data:/d:ro,nocopy', '')).toThrow(
    `invalid volume specification: '/data:/d:ro,nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
  );
  expect(() => parseBind('data:/d:rslave', '')).toThrow('type "volume": field BindOptions must not be specified');
});

test('a mount says what its type does not take', async () => {
  await expect(parseMount({ Type: 'bind', Target: '/x' })).rejects.toThrow('field Source must not be empty');
  await expect(parseMount({ Type: 'tmpfs', Target: '/x', Source: '/y' })).rejects.toThrow(
    'field Source must not be specified',
  );
  await expect(parseMount({ Type: 'volume', Target: '/x', Source: 'v', BindOptions: {} })).rejects.toThrow(
    'field BindOptions must not be specified',
  );
  await expect(
    parseMount({ Type: 'volume', Target: '/x', Source: 'v', VolumeOptions: { Subpath: '../up' } }),
  ).rejects.toThrow('subpath');
  await expect(parseMount({ Type: 'weird', Target: '/x' })).rejects.toThrow('mount type unknown');
});

test('tmpfs options keep mode and size', async () => {
  const mount = await parseMount({ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } });
  expect(mount.options).toEqual(['mode=1777', 'size=1024']);
});

test('volumes-from knows its mode', () => {
  expect(parseVolumesFrom('web')).toEqual({ container: 'web', readOnly: undefined });
  expect(parseVolumesFrom('web:ro')).toEqual({ container: 'web', readOnly: true });
  expect(() => parseVolumesFrom('web:nocopy')).toThrow('invalid mode: nocopy');
});

test('ports are numbers with a protocol', () => {
  expect(parsePort('80')).toEqual({ proto: 'tcp', port: 80 });
  expect(parsePort('53/UDP')).toEqual({ proto: 'udp', port: 53 });
  expect(parseExposedPorts(['8000-8002/udp']).map(({ port }) => port)).toEqual([8000, 8001, 8002]);
  for (const bad of ['0', '65536', 'http', '80/icmp', '-1'])
    expect(() => parsePort(bad)).toThrow('invalid port specification');
});

test('published ports may be ranges, and may have an address', () => {
  const { PortBindings } = hostConfig({
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }], '53/udp': null },
  });
  expect(parsePortBindings(PortBindings)).toEqual([
    { proto: 'tcp', port: 80, hostIp: '127.0.0.1', hostPort: 8000, hostPortEnd: 8010 },
    { proto: 'udp', port: 53, hostIp: '', hostPort: 0, hostPortEnd: 0 },
  ]);
  expect(() => parsePortBindings({ '80/tcp': [{ HostIp: '', HostPort: '99999' }] })).toThrow(
    'invalid port specification: "99999"',
  );
});

test.each([
  ['/data', '', 'rslave'],
  ['/data/volumes', '', 'rslave'],
  ['/', '', 'rslave'],
  ['/data', 'rshared', 'rshared'],
  ['/database', '', 'rprivate'],
  ['/srv', 'shared', 'shared'],
])('the bind of %s with propagation "%s" beside the data root /data gets %s', (source, asked, given) => {
  const bind = parseBind(`${source}:/x${asked && `:${asked}`}`, '');
  expect(withPropagation(bind, '/data').propagation).toBe(given);
});

test('a bind that would hold on to mounts of the daemon is refused', () => {
  expect(() => withPropagation(parseBind('/:/x:private', ''), '/data')).toThrow(
    'must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "/data", bind mount source: "/", propagation: "private"',
  );
});
