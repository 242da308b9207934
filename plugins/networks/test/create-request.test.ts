import { expect, test } from '@jest/globals';
import { parseCreate } from '../api/parse-create';

const withIpam =
  (Config: unknown[], more = {}) =>
  () =>
    parseCreate({ Name: 'n', IPAM: { Config }, ...more });

test.each([
  [{ Subnet: '10.0.0.0/33' }, 'invalid subnet 10.0.0.0/33: invalid CIDR block notation'],
  [{ Subnet: '10.0.0.1/24' }, 'invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24'],
  [
    { Subnet: '10.0.0.0/24', IPRange: '10.0.0.0/16' },
    'invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24',
  ],
  [
    { Subnet: '10.0.0.0/24', IPRange: '10.0.1.0/25' },
    "invalid ip-range 10.0.1.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
  ],
  [{ Subnet: '10.0.0.0/24', Gateway: 'gate' }, 'invalid gateway gate: invalid address'],
  [{ Subnet: '10.0.0.0/24', Gateway: '10.0.1.1' }, 'invalid gateway 10.0.1.1: parent subnet'],
  [{ Subnet: '10.0.0.0/24', AuxiliaryAddresses: { r: '1.1.1.1' } }, 'invalid auxiliary address r: parent subnet'],
  [{ Gateway: '10.0.0.1' }, 'invalid subnet : invalid CIDR block notation'],
])('a bad pool %j is refused with the reason', (config, message) => {
  expect(withIpam([config])).toThrow(message);
});

test('every problem of a request is told at once', () => {
  const config = { Subnet: '10.0.0.1/24', Gateway: '10.0.1.1', IPRange: 'x' };
  expect(withIpam([config])).toThrow(/it should be 10\.0\.0\.0\/24\n.*ip-range.*\n.*gateway/s);
});

test('a subnet of a family that is off is taken and named in a warning', () => {
  expect(withIpam([{ Subnet: 'fd00::/64' }])().warning).toBe(
    'subnet fd00::/64 is not used: IPv6 is off for this network',
  );
});

test('options of the settings apply to a driver, but the request goes first', () => {
  const defaults = { bridge: { a: '1', b: '2', 'com.docker.network.enable_ipv6': 'true' } };
  const { spec } = parseCreate({ Name: 'n', Options: { b: '3' } }, defaults);
  expect(spec).toMatchObject({ enableIPv6: true, options: { a: '1', b: '3' } });
  const off = parseCreate({ Name: 'n', EnableIPv6: false }, defaults).spec;
  expect(off).toMatchObject({ enableIPv6: false, options: { a: '1', b: '2' } });
  expect(parseCreate({ Name: 'n', Driver: 'macvlan' }, defaults).spec.options).toEqual({});
  expect(() => parseCreate({ Name: 'n', Options: { 'com.docker.network.enable_ipv4': 'x' } })).toThrow(
    'driver-opt "com.docker.network.enable_ipv4" is not a valid bool',
  );
});

test.each([
  [{ Name: '' }, 'name is empty'],
  [{ Name: ' ' }, 'name is empty'],
  [{ Name: 'a', Driver: 'overlay' }, 'not a swarm manager'],
  [{ Name: 5 }, 'into Go struct field Name of type string'],
  [{ Name: 'a', Scope: 'swarm' }, 'swarm'],
  [{ Name: 'a', Ingress: true }, 'swarm'],
  [{ Name: 'a', Options: { x: 1 } }, 'cannot unmarshal number into Go struct field Options.x of type string'],
  [{ Name: 'a', ConfigOnly: true, ConfigFrom: { Network: 'b' } }, 'cannot depend on another'],
])('a bad request %j is refused as invalid', (body, message) => {
  expect(() => parseCreate(body)).toThrow(message);
});

test('a request without anything but a name is a bridge network with IPv4', () => {
  expect(parseCreate({ Name: 'app' }).spec).toMatchObject({
    name: 'app',
    driver: 'bridge',
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    ipam: { driver: 'default', config: [] },
  });
});
