import { deepEqual, equal, ok } from 'node:assert/strict';
import { field, networkOptionKeys as keys, networkDriverMethods as methods } from '../wire';
import { isCidr } from './answer-rules';
import { joinCases } from './network-join-cases';
import {
  type Case,
  hexId,
  ipv4Of,
  mac,
  type NetworkDriverSubject,
  networkIdFor,
  noOptions,
  ONLY_NETWORK,
  one,
  onTheWire,
  subnetOf,
  unset,
  withThem,
} from './own-networks';
import { refuses } from './refusal';
import { type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

export type { NetworkDriverSubject } from './own-networks';

const endpointCases: readonly Case[] = [
  one(
    'endpoint.absent-network',
    'P-CALL-8',
    'an endpoint in a network that is not there is an error',
    withThem(async ({ onEnd }, { driver }) => {
      const [network, endpoint] = [hexId(), hexId()];
      onEnd(() => driver.deleteEndpoint(network, endpoint));
      await refuses(driver.createEndpoint(network, endpoint, unset, noOptions), 'an endpoint in an absent network');
    }),
  ),
  one(
    'endpoint.given',
    'P-NET-6',
    'what the engine has chosen is not answered',
    withThem(async ({ network, onEnd }, { driver, ...rest }) => {
      const id = await network();
      const endpoint = hexId();
      onEnd(() => driver.deleteEndpoint(id, endpoint));
      const given = { address: `${subnetOf({ driver, ...rest })}.9/24`, addressIPv6: '', macAddress: mac };
      const answer = await driver.createEndpoint(id, endpoint, given, noOptions);
      for (const part of ['address', 'macAddress'] as const)
        equal(answer[part] ?? '', '', `${part} was given and is answered`);
    }),
  ),
  one(
    'endpoint.chosen',
    'P-NET-6',
    'what the driver has chosen is in CIDR, and the MAC has colons',
    withThem(async ({ network, onEnd }, subject) => {
      const id = await network();
      const endpoint = hexId();
      onEnd(() => subject.driver.deleteEndpoint(id, endpoint));
      const given = { ...unset, address: `${subnetOf(subject)}.9/24` };
      const { macAddress = '', addressIPv6 = '' } = await subject.driver.createEndpoint(id, endpoint, given, noOptions);
      ok(macAddress === '' || /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(macAddress), `MacAddress "${macAddress}"`);
      ok(addressIPv6 === '' || isCidr(addressIPv6), `AddressIPv6 "${addressIPv6}" is not in CIDR`);
    }),
  ),
  one(
    'endpoint.options',
    'P-NET-9',
    'an endpoint is made with every option an engine sends',
    withThem(async ({ network, onEnd }, subject) => {
      const client = onTheWire(subject);
      const ids = { NetworkID: await network(), EndpointID: hexId() };
      onEnd(() => subject.driver.deleteEndpoint(ids.NetworkID, ids.EndpointID));
      const Options = {
        [keys.exposedPorts]: [{ Proto: 6, Port: 80 }],
        [keys.portMap]: [{ Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 0, HostPortEnd: 0 }],
        'com.docker.network.endpoint.dnsservers': ['198.18.77.53'],
        'com.docker.network.endpoint.macaddress': Buffer.from(mac.replaceAll(':', ''), 'hex').toString('base64'),
        'com.docker.network.endpoint.sysctls': '',
      };
      const Interface = { Address: `${subnetOf(subject)}.9/24`, AddressIPv6: '', MacAddress: mac };
      await client.call({ ...methods.createEndpoint, body: { ...ids, Interface, Options } });
    }),
  ),
  one(
    'endpoint.info',
    'P-NET-6',
    'EndpointOperInfo answers a map about an endpoint',
    withThem(async ({ network, endpoint }, subject) => {
      const client = onTheWire(subject);
      const id = await network();
      const body = { NetworkID: id, EndpointID: await endpoint(id) };
      const value = field(await client.call({ ...methods.endpointInfo, body }), 'Value') ?? {};
      ok(typeof value === 'object' && !Array.isArray(value), `Value ${JSON.stringify(value)} is not a map`);
    }),
  ),
  one(
    'endpoint.delete',
    'P-NET-6',
    'a deleted endpoint can be made again under the same id',
    withThem(async ({ network, endpoint }, { driver }) => {
      const id = await network();
      const made = await endpoint(id);
      await driver.deleteEndpoint(id, made);
      await endpoint(id, {}, made);
    }),
  ),
];

const networkCases: readonly Case[] = [
  one('capabilities', 'P-NET-1', 'the scopes are local or global', async ({ driver }) => {
    const { scope, connectivityScope } = await driver.capabilities();
    for (const it of [scope, connectivityScope]) ok(['local', 'global'].includes(it), `scope "${it}"`);
  }),
  one(
    'delete',
    'P-NET-2',
    'a network without endpoints can be deleted, the only one of a driver cannot, and has no second beside it',
    withThem(async ({ network, onEnd }, subject) => {
      const { driver, hasOnlyNetwork } = subject;
      const id = await network();
      if (!hasOnlyNetwork) return driver.deleteNetwork(id);
      await refuses(driver.deleteNetwork(id), 'deleting the only network', 'forbidden', subject);
      const second = hexId();
      onEnd(() => driver.deleteNetwork(second));
      const options = { generic: {}, enableIPv4: true, enableIPv6: false, internal: false };
      await refuses(driver.createNetwork(second, options, [], []), 'a second network', 'forbidden', subject);
    }),
  ),
  one(
    'dual-stack',
    'P-NET-2',
    'a network may have pools of both families',
    withThem(async ({ network }, subject) => {
      if (subject.withoutIPv6) skip('this driver has no IPv6');
      const ipv6 = [{ addressSpace: 'LocalDefault', pool: 'fd00:c612:4d::/64', gateway: 'fd00:c612:4d::1/64' }];
      await network(undefined, ipv6, { enableIPv6: true });
    }),
  ),
  one(
    'no-gateway',
    'P-NET-2',
    'a pool may come without a gateway',
    withThem(async ({ network }, subject) => {
      await network(ipv4Of(subject, false), [], { internal: true });
    }),
  ),
  one(
    'null-pools',
    'P-NET-2',
    'pools of a family that is not used are null or absent',
    withThem(async ({ onEnd }, subject) => {
      const client = onTheWire(subject);
      const pools = ipv4Of(subject).map(({ pool, gateway }) => ({ AddressSpace: 'x', Pool: pool, Gateway: gateway }));
      for (const more of [{ IPv6Data: null }, {}]) {
        const NetworkID = networkIdFor(subject);
        onEnd(() => subject.driver.deleteNetwork(NetworkID));
        const Options = { [keys.generic]: subject.options ?? {} };
        await client.call({ ...methods.createNetwork, body: { NetworkID, Options, IPv4Data: pools, ...more } });
        if (!subject.hasOnlyNetwork) await client.call({ ...methods.deleteNetwork, body: { NetworkID } });
      }
    }),
  ),
  one(
    'engine-options',
    'P-NET-3',
    "keys of the engine beside the user's options are taken",
    withThem(async ({ onEnd }, subject) => {
      const client = onTheWire(subject);
      const NetworkID = networkIdFor(subject);
      onEnd(() => subject.driver.deleteNetwork(NetworkID));
      const Options = {
        [keys.generic]: subject.options ?? null,
        [keys.enableIPv4]: true,
        [keys.enableIPv6]: false,
        'com.docker.network.conformance': 'unknown to everybody',
      };
      const IPv4Data = ipv4Of(subject).map(({ pool }) => ({ AddressSpace: 'LocalDefault', Pool: pool }));
      await client.call({ ...methods.createNetwork, body: { NetworkID, Options, IPv4Data, IPv6Data: [] } });
    }),
  ),
  one(
    'refused-option',
    'P-CALL-8',
    'a wrong option is refused',
    withThem(async ({ network }, subject) => {
      if (subject.refusedOptions === undefined) skip('no options are known that the driver must refuse');
      const made = network(undefined, [], { generic: subject.refusedOptions });
      await refuses(made, 'a network with a wrong option', 'invalid-parameter', subject);
    }),
  ),
  one('gateway-check', 'P-NET-5', 'GwAllocCheck answers two booleans', async (subject) => {
    const client = onTheWire(subject);
    const { gwAllocChecker } = await subject.driver.capabilities().catch(() => skip('its capabilities are not known'));
    if (!gwAllocChecker) skip('this driver has nothing to say about gateways');
    const body = await client.call({ ...methods.gwAllocCheck, body: { Options: { [keys.generic]: {} } } });
    for (const name of ['SkipIPv4', 'SkipIPv6'])
      ok(['boolean', 'undefined'].includes(typeof field(body, name)), `${name} ${JSON.stringify(field(body, name))}`);
  }),
  one('allocate', 'P-NET-4', 'a driver of global scope allocates and frees networks', async (subject) => {
    const client = onTheWire(subject);
    const { scope } = await subject.driver.capabilities().catch(() => skip('its capabilities are not known'));
    if (scope !== 'global') skip('only drivers of global scope are asked');
    const NetworkID = hexId();
    const pools = ipv4Of(subject).map(({ pool }) => ({ AddressSpace: 'GlobalDefault', Pool: pool }));
    const body = { NetworkID, Options: {}, IPv4Data: pools, IPv6Data: null };
    const options = field(await client.call({ ...methods.allocateNetwork, body }), 'Options') ?? {};
    deepEqual(
      Object.values(options).filter((value) => typeof value !== 'string'),
      [],
      'options that are no texts',
    );
    await client.call({ ...methods.freeNetwork, body: { NetworkID } });
  }),
  one('discovery', 'P-NET-11', 'news of nodes is taken or not implemented', async (subject) => {
    const client = onTheWire(subject);
    const body = JSON.stringify({
      DiscoveryType: 1,
      DiscoveryData: { Address: '198.18.77.5', BindAddress: '0.0.0.0', Self: false },
    });
    for (const { method } of [methods.discoverNew, methods.discoverDelete]) {
      const { status } = await client.send({ method, body });
      ok(status === 200 || status === 404, `${method} was answered with status ${status}`);
    }
  }),
];

const ids = { NetworkID: ONLY_NETWORK, EndpointID: '0'.repeat(64) };
const wire = wireCases({
  prefix: 'network',
  kind: 'NetworkDriver',
  methods: [
    [methods.capabilities.method, undefined],
    [methods.createNetwork.method, { ...ids, Options: {}, IPv4Data: [], IPv6Data: [] }],
    [methods.createEndpoint.method, { ...ids, Interface: {}, Options: {} }],
    [methods.endpointInfo.method, ids],
    [methods.join.method, { ...ids, SandboxKey: '', Options: {} }],
    [methods.leave.method, ids],
    [methods.deleteEndpoint.method, ids],
    [methods.deleteNetwork.method, ids],
  ],
  emptyBodies: [methods.capabilities.method],
});

/** What every network driver must do, in process and behind a socket. Makes and removes networks of its own only. */
export const networkDriverSuite: ConformanceSuite<NetworkDriverSubject> = {
  kind: 'network',
  cases: [...wire.first, ...networkCases, ...endpointCases, ...joinCases, ...wire.last],
};
