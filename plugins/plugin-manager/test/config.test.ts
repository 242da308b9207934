import { capabilitiesOf, parsePluginConfig, speaksProtocol } from '../config/plugin-config';
import { checkGranted, privilegesOf } from '../config/privileges';
import { applySettings, carrySettings, initialSettings } from '../config/settings';

const config = (more: object = {}) =>
  parsePluginConfig(
    Buffer.from(
      JSON.stringify({
        interface: { types: ['docker.volumedriver/1.0', 'other.thing/1'], socket: 'x.sock' },
        entrypoint: ['/x'],
        args: { name: 'args', settable: ['value'], value: ['a'] },
        env: [
          { name: 'DEBUG', settable: ['value'], value: '0' },
          { name: 'UNSET', settable: ['value'] },
          { name: 'FIXED', value: 'f' },
        ],
        mounts: [{ name: 'state', source: '/var/x', destination: '/state', type: 'bind', settable: ['source'] }],
        linux: { devices: [{ name: 'card', path: '/dev/x', settable: ['path'] }], capabilities: ['CAP_SYS_ADMIN'] },
        ...more,
      }),
    ),
  );

test('a config written by hand has the names of the API, and null for what may be set and is not', () => {
  expect(config()).toMatchObject({
    Interface: { Types: ['docker.volumedriver/1.0', 'other.thing/1'], Socket: 'x.sock' },
    Env: [{ Name: 'DEBUG', Value: '0' }, { Name: 'UNSET', Value: null }, { Settable: null }],
    Linux: { AllowAllDevices: false, Capabilities: ['CAP_SYS_ADMIN'] },
    Network: { Type: '' },
    User: {},
  });
  expect(capabilitiesOf(config())).toEqual(['volumedriver']);
  expect(speaksProtocol(config())).toBe(true);
  expect(speaksProtocol(config({ interface: { socket: 'x', protocolScheme: 'csi/v1' } }))).toBe(false);
});

test.each([
  ['{', /failed to parse config/],
  ['{"interface":{"types":["volumedriver"]}}', /"volumedriver" is not of the form/],
  ['{"interface":{"socket":"../../x"}}', /"..\/..\/x" is not a file name/],
  ['{"propagatedMount":"mnt"}', /PropagatedMount "mnt" is not an absolute path/],
  ['{"mounts":[{"destination":"/a/../../etc"}]}', /Mounts.Destination "\/a\/..\/..\/etc"/],
  ['{"env":"DEBUG=1"}', /cannot unmarshal string into Go struct field Env/],
])('the config %s is refused and the field named', (text, message) => {
  expect(() => parsePluginConfig(Buffer.from(text))).toThrow(message);
});

test('privileges are asked for by name, and granted in any order', () => {
  const wide = config({ network: { type: 'host' }, ipcHost: true, pidHost: true });
  const asked = privilegesOf(wide);
  expect(asked.map(({ Name, Value }) => [Name, ...Value!])).toEqual([
    ['network', 'host'],
    ['host ipc namespace', 'true'],
    ['host pid namespace', 'true'],
    ['mount', '/var/x'],
    ['device', '/dev/x'],
    ['capabilities', 'CAP_SYS_ADMIN'],
  ]);
  expect(() => checkGranted(wide, [...asked].reverse())).not.toThrow();
  expect(privilegesOf(config({ network: { type: 'bridge' }, mounts: [], linux: {} }))).toEqual([]);
});

test('every granted privilege counts, the first of the sorted ones too', () => {
  const asked = privilegesOf(config());
  for (const index of asked.keys()) {
    const without = asked.filter((_, at) => at !== index);
    expect(() => checkGranted(config(), without)).toThrow(/incorrect privileges: not granted/);
    const changed = asked.map((it, at) => (at === index ? { ...it, Value: ['/'] } : it));
    expect(() => checkGranted(config(), changed)).toThrow(/granted and not asked for/);
    expect(() => checkGranted(config(), [...asked, asked[index]!])).toThrow(/granted and not asked for/);
  }
});

test('settings begin as the author wishes, and change where they may', () => {
  const before = initialSettings(config());
  expect(before).toMatchObject({ Env: ['DEBUG=0', 'FIXED=f'], Args: ['a'], Mounts: [{ Source: '/var/x' }] });
  const changes = ['DEBUG=a=b', 'UNSET.value=now', 'args=one two', 'state=/srv', 'card.path=/dev/y'];
  const after = applySettings(config(), before, changes);
  expect(after.Env).toEqual(['DEBUG=a=b', 'FIXED=f', 'UNSET=now']);
  expect(after.Args).toEqual(['one', 'two']);
  expect(after.Mounts[0]!.Source).toBe('/srv');
  expect(after.Devices[0]!.Path).toBe('/dev/y');
  expect(applySettings(config(), after, ['DEBUG']).Env[0]).toBe('DEBUG=');
});

test.each([
  ['=x', 'invalid format, must be <name>[.<field>][=<value>]'],
  ['FIXED=1', '"FIXED" is not settable'],
  ['DEBUG.name=x', '"DEBUG.name" is not settable'],
  ['state.destination=/', '"state.destination" is not settable'],
  ['nothing=1', 'setting "nothing" not found in the plugin configuration'],
])('the change %s is refused', (change, message) => {
  const before = initialSettings(config());
  expect(() => applySettings(config(), before, ['DEBUG=1', change])).toThrow(message);
});

test('an upgrade keeps what was set, as far as the new version lets it be set', () => {
  const wished = initialSettings(config());
  const set = applySettings(config(), wished, ['DEBUG=1', 'UNSET=x=y', 'state=/srv', 'args=z']);
  const next = config({
    env: [
      { name: 'DEBUG', value: '7' },
      { name: 'UNSET', settable: ['value'] },
      { name: 'NEW', value: 'n' },
    ],
  });
  expect(carrySettings(next, set, wished)).toMatchObject({
    Env: ['DEBUG=7', 'NEW=n', 'UNSET=x=y'],
    Mounts: [{ Source: '/srv' }],
    Args: ['z'],
  });
  expect(carrySettings(next, wished, wished)).toEqual(initialSettings(next));
});
