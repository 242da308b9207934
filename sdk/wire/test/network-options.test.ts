import { expect, test } from '@jest/globals';
import { decodeEndpointOptions, encodeEndpointOptions } from '..';

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
