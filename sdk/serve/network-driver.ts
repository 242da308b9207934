import type { NetworkDriver } from '../contracts/network-driver';
import {
  decodeDiscovery,
  decodeEndpointOptions,
  decodeInterface,
  decodeIpamData,
  decodeNetworkOptions,
  encodeInterface,
  encodeJoinResult,
  field,
  networkDriverMethods,
  stringField,
  stringMapField,
} from '../wire';
import { type MethodHandler, type ServedKind, silently } from './method-table';

/** The wire methods of a network driver. Optional methods it lacks are not served. */
export function networkDriverKind(driver: NetworkDriver): ServedKind {
  const network = (body: unknown) => stringField(body, 'NetworkID');
  const endpoint = (body: unknown) => stringField(body, 'EndpointID');
  const options = (body: unknown) => decodeEndpointOptions(field(body, 'Options'));
  const methods: Record<string, MethodHandler> = {
    [networkDriverMethods.capabilities.method]: async () => {
      const { scope, connectivityScope, gwAllocChecker } = await driver.capabilities();
      return { Scope: scope, ConnectivityScope: connectivityScope, GwAllocChecker: gwAllocChecker ?? false };
    },
    [networkDriverMethods.createNetwork.method]: silently((body) =>
      driver.createNetwork(
        network(body),
        decodeNetworkOptions(field(body, 'Options')),
        decodeIpamData(body, 'IPv4Data'),
        decodeIpamData(body, 'IPv6Data'),
      ),
    ),
    [networkDriverMethods.deleteNetwork.method]: silently((body) => driver.deleteNetwork(network(body))),
    [networkDriverMethods.createEndpoint.method]: async (body) => ({
      Interface: encodeInterface(
        await driver.createEndpoint(
          network(body),
          endpoint(body),
          decodeInterface(field(body, 'Interface')),
          options(body),
        ),
      ),
    }),
    [networkDriverMethods.deleteEndpoint.method]: silently((body) =>
      driver.deleteEndpoint(network(body), endpoint(body)),
    ),
    [networkDriverMethods.endpointInfo.method]: async (body) => ({
      Value: await driver.endpointInfo(network(body), endpoint(body)),
    }),
    [networkDriverMethods.join.method]: async (body) =>
      encodeJoinResult(
        await driver.join(network(body), endpoint(body), stringField(body, 'SandboxKey'), options(body)),
      ),
    [networkDriverMethods.leave.method]: silently((body) => driver.leave(network(body), endpoint(body))),
  };
  if (driver.gwAllocCheck !== undefined)
    methods[networkDriverMethods.gwAllocCheck.method] = async (body) => {
      const skip = await driver.gwAllocCheck!(decodeNetworkOptions(field(body, 'Options')));
      return { SkipIPv4: skip.skipIPv4, SkipIPv6: skip.skipIPv6 };
    };
  if (driver.programExternalConnectivity !== undefined)
    methods[networkDriverMethods.programExternalConnectivity.method] = silently(async (body) =>
      driver.programExternalConnectivity?.(network(body), endpoint(body), options(body)),
    );
  if (driver.revokeExternalConnectivity !== undefined)
    methods[networkDriverMethods.revokeExternalConnectivity.method] = silently(async (body) =>
      driver.revokeExternalConnectivity?.(network(body), endpoint(body)),
    );
  Object.assign(methods, clusterMethods(driver));
  return { kind: 'NetworkDriver', methods };
}

/** What only drivers in a cluster have: allocation on managers, news of nodes. */
function clusterMethods(driver: NetworkDriver): Record<string, MethodHandler> {
  const methods: Record<string, MethodHandler> = {};
  if (driver.allocateNetwork !== undefined)
    methods[networkDriverMethods.allocateNetwork.method] = async (body) => ({
      Options: await driver.allocateNetwork!(
        stringField(body, 'NetworkID'),
        stringMapField(body, 'Options'),
        decodeIpamData(body, 'IPv4Data'),
        decodeIpamData(body, 'IPv6Data'),
      ),
    });
  if (driver.freeNetwork !== undefined)
    methods[networkDriverMethods.freeNetwork.method] = silently(async (body) =>
      driver.freeNetwork!(stringField(body, 'NetworkID')),
    );
  if (driver.discover !== undefined)
    for (const change of ['new', 'delete'] as const)
      methods[networkDriverMethods[change === 'new' ? 'discoverNew' : 'discoverDelete'].method] = silently(
        async (body) => driver.discover!(change, decodeDiscovery(body)),
      );
  return methods;
}
