import { expect, test } from '@jest/globals';
import { parseBridgeOptions } from '../bridge-options';

const parse = (generic: Record<string, string>, internal = false) =>
  parseBridgeOptions('0123456789abcdef', { generic, enableIPv4: true, enableIPv6: false, internal });
const BRIDGE = 'com.docker.network.bridge.';

test('a network without options gets the bridge named after it', () => {
  expect(parse({})).toMatchObject({
    bridgeName: 'br-0123456789ab',
    icc: true,
    masquerade: true,
    hostIp: '',
    mtu: 0,
    interfacePrefix: 'eth',
    gatewayMode4: 'nat',
  });
});

test('options the driver does not know are left alone, as dockerd does', () => {
  expect(() => parse({ [`${BRIDGE}future`]: '1', other: 'x' })).not.toThrow();
});

test.each([
  [{ [`${BRIDGE}enable_icc`]: 'perhaps' }, 'enable_icc'],
  [{ [`${BRIDGE}name`]: 'a-name-that-is-too-long' }, 'invalid interface name'],
  [{ [`${BRIDGE}name`]: 'x" }; flush' }, 'invalid interface name'],
  [{ [`${BRIDGE}trusted_host_interfaces`]: 'eth0:"x"' }, 'invalid interface name'],
  [
    { [`${BRIDGE}host_binding_ipv4`]: 'x' },
    'failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)',
  ],
  [{ [`${BRIDGE}gateway_mode_ipv4`]: 'open' }, 'unknown gateway mode open'],
  [{ [`${BRIDGE}gateway_mode_ipv4`]: 'isolated' }, 'internal'],
  [{ 'com.docker.network.driver.mtu': 'big' }, 'mtu'],
  [{ 'com.docker.network.host_ipv6': '1.2.3.4' }, 'value: 1.2.3.4 (nil ip)'],
])('a bad value is refused by name: %j', (generic, message) => {
  expect(() => parse(generic as unknown as Record<string, string>)).toThrow(message);
});

test('the MTU of the plugin goes to networks that name none, and to the default bridge', () => {
  const fallback = { networks: 1450, defaultBridge: 1400 };
  const mtu = (generic: Record<string, string>) =>
    parseBridgeOptions('0123456789abcdef', { generic, enableIPv4: true, enableIPv6: false, internal: false }, fallback)
      .mtu;
  expect(mtu({})).toBe(1450);
  expect(mtu({ 'com.docker.network.driver.mtu': '9000' })).toBe(9000);
  expect(mtu({ 'com.docker.network.bridge.default_bridge': 'true', 'com.docker.network.driver.mtu': '1500' })).toBe(
    1400,
  );
});
