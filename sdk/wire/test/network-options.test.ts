import { expect, test } from '@jest/globals';
import { decodeEndpointOptions, encodeEndpointOptions, encodeExternalOptions } from '..';

test('name servers and MAC address of an endpoint cross the wire in the forms drivers know', () => {
  const options = {
    exposedPorts: [],
    portMap: [],
    generic: { colour: 'red' },
    dnsServers: ['192.0.2.53'],
    macAddress: '02:42:aa:bb:cc:dd',
  };
  const sent = encodeEndpointOptions(options);
  expect(sent).toMatchObject({
    'com.docker.network.endpoint.dnsservers': ['192.0.2.53'],
    'com.docker.network.endpoint.macaddress': 'AkKqu8zd',
  });
  expect(decodeEndpointOptions(JSON.parse(JSON.stringify(sent)))).toEqual(options);
  expect(encodeEndpointOptions({ exposedPorts: [], portMap: [], generic: {} })).not.toHaveProperty([
    'com.docker.network.endpoint.macaddress',
  ]);
});

test('an endpoint of an internal network is made without a word about ports and name servers', () => {
  const ports = { exposedPorts: [{ proto: 'tcp', port: 80 }], portMap: [] } as const;
  const sent = encodeEndpointOptions({ ...ports, isInternal: true, dnsServers: ['192.0.2.53'], generic: { k: 'v' } });
  expect(sent).toEqual({ k: 'v' });
});

test('whoever publishes ports is told whether IPv6 takes another way (P-NET-10)', () => {
  const key = 'com.docker.network.driver.private.no_proxy_6to4';
  const ports = { exposedPorts: [], portMap: [], generic: {} };
  expect(encodeExternalOptions(ports)).toMatchObject({ [key]: false });
  const other = encodeExternalOptions({ ...ports, hasOtherIPv6Gateway: true });
  expect(other).toMatchObject({ [key]: true });
  expect(decodeEndpointOptions(other)).toMatchObject({ hasOtherIPv6Gateway: true });
});
