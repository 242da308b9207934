import { expect, test } from '@jest/globals';
import { parseParentOptions, parseVlanName } from '../parent-options';

const ID = 'abcdef0123456789'.repeat(4);
const options = (generic: Record<string, string>, internal = false) => ({
  generic,
  enableIPv4: true,
  enableIPv6: false,
  internal,
});

test('without a parent a dummy of the network stands in, and the network is internal', () => {
  expect(parseParentOptions('macvlan', ID, options({}))).toEqual({
    parent: 'dm-abcdef012345',
    isDummy: true,
    link: { kind: 'macvlan', mode: 'bridge' },
    internal: true,
  });
});

test('mode and flag of ipvlan are read', () => {
  const generic = { parent: 'eth0', ipvlan_mode: 'l3s', ipvlan_flag: 'private' };
  expect(parseParentOptions('ipvlan', ID, options(generic))).toEqual({
    parent: 'eth0',
    isDummy: false,
    link: { kind: 'ipvlan', mode: 'l3s', flag: 'private' },
    internal: false,
  });
});

test.each([
  ['macvlan', { parent: 'lo' }, 'loopback interface is not a valid macvlan parent link'],
  ['macvlan', { parent: 'a/b' }, 'invalid parent interface "a/b"'],
  ['macvlan', { parent: 'eth0', macvlan_mode: 'x' }, "requested macvlan mode 'x' is not valid"],
  ['ipvlan', { parent: 'eth0', ipvlan_mode: 'l4' }, "requested ipvlan mode 'l4' is not valid"],
  ['ipvlan', { parent: 'eth0', ipvlan_flag: 'x' }, "requested ipvlan flag 'x' is not valid"],
] as const)('%s with %j is refused', (kind, generic, message) => {
  expect(() => parseParentOptions(kind, ID, options(generic))).toThrow(message);
});

test('a VLAN subinterface is named after its parent and id', () => {
  expect(parseVlanName('eth0.10')).toEqual({ parent: 'eth0', id: 10 });
  expect(() => parseVlanName('eth0')).toThrow('example formatting is eth0.10');
  expect(() => parseVlanName('eth0.1.2')).toThrow('example formatting is eth0.10');
  expect(() => parseVlanName('eth0.x')).toThrow('unable to parse a valid vlan id from: x');
  expect(() => parseVlanName('eth0.4095')).toThrow('vlan id must be between 1-4094, received: 4095');
});
