import type { EndpointInterface, NetworkDriver } from '../contracts/network-driver';
import { conflict, systemError } from '../errors';
import {
  decodeInterface,
  decodeJoinResult,
  encodeDiscovery,
  encodeEndpointOptions,
  encodeExternalOptions,
  encodeInterface,
  encodeIpamData,
  encodeNetworkOptions,
  encodeSandboxOptions,
  field,
  networkDriverMethods,
  objectField,
  sortedMap,
  stringField,
  stringMapField,
} from '../wire';
import { askedOnce } from './asked-once';
import type { PluginClient } from './plugin-client';
import { PluginRefusal } from './read-answer';

/** A network driver behind a socket. It is not told about networks of an earlier run: the protocol has no word for it. */
export function connectNetworkDriver(client: PluginClient): NetworkDriver {
  const call = (method: keyof typeof networkDriverMethods, body?: unknown) =>
    client.call({ ...networkDriverMethods[method], body, errorPrefix: 'remote: ' });

  /** A plugin without the method has nothing to do (P-CALL-9). */
  const callIfThere = async (method: keyof typeof networkDriverMethods, body: unknown): Promise<boolean> => {
    try {
      await call(method, body);
      return true;
    } catch (error) {
      if (error instanceof PluginRefusal && error.status === 404) return false;
      throw error;
    }
  };

  return {
    // A driver says once what it can do (P-ACT-4).
    capabilities: askedOnce(async () => {
      const body = await call('capabilities');
      const scope = scopeField(client, body, 'Scope');
      return {
        scope,
        connectivityScope:
          stringField(body, 'ConnectivityScope') === '' ? scope : scopeField(client, body, 'ConnectivityScope'),
        gwAllocChecker: field(body, 'GwAllocChecker') === true,
      };
    }),
    async gwAllocCheck(options) {
      const body = await call('gwAllocCheck', { Options: encodeNetworkOptions(options) });
      return { skipIPv4: field(body, 'SkipIPv4') === true, skipIPv6: field(body, 'SkipIPv6') === true };
    },
    async createNetwork(networkId, options, ipv4, ipv6) {
      await call('createNetwork', {
        NetworkID: networkId,
        Options: encodeNetworkOptions(options),
        IPv4Data: encodeIpamData(ipv4),
        IPv6Data: encodeIpamData(ipv6),
      });
    },
    async deleteNetwork(networkId) {
      await call('deleteNetwork', { NetworkID: networkId });
    },
    async createEndpoint(networkId, endpointId, iface, options) {
      const ids = { NetworkID: networkId, EndpointID: endpointId };
      const body = await call('createEndpoint', {
        ...ids,
        Interface: encodeInterface(iface),
        Options: encodeEndpointOptions(options),
      });
      const answer = decodeInterface(field(body, 'Interface'));
      for (const part of Object.keys(answer) as (keyof EndpointInterface)[])
        if (iface[part] !== '' && answer[part] !== '') {
          await call('deleteEndpoint', ids).catch(() => undefined);
          throw conflict(`remote: plugin "${client.name}" changed the ${part} it was given for endpoint ${endpointId}`);
        }
      return Object.fromEntries(Object.entries(answer).filter(([, value]) => value !== ''));
    },
    async deleteEndpoint(networkId, endpointId) {
      await call('deleteEndpoint', { NetworkID: networkId, EndpointID: endpointId });
    },
    async endpointInfo(networkId, endpointId) {
      const body = await call('endpointInfo', { NetworkID: networkId, EndpointID: endpointId });
      return objectField(body, 'Value') ?? {};
    },
    async join(networkId, endpointId, sandboxKey, options) {
      const body = await call('join', {
        NetworkID: networkId,
        EndpointID: endpointId,
        SandboxKey: sandboxKey,
        Options: encodeSandboxOptions(options),
      });
      return decodeJoinResult(body);
    },
    async leave(networkId, endpointId) {
      await call('leave', { NetworkID: networkId, EndpointID: endpointId });
    },
    async programExternalConnectivity(networkId, endpointId, options) {
      const done = await callIfThere('programExternalConnectivity', {
        NetworkID: networkId,
        EndpointID: endpointId,
        Options: encodeExternalOptions(options),
      });
      // The protocol does not tell which ports were chosen, so only asked-for ones are known.
      return done ? options.portMap.filter(({ hostPort }) => hostPort > 0) : [];
    },
    async revokeExternalConnectivity(networkId, endpointId) {
      await callIfThere('revokeExternalConnectivity', { NetworkID: networkId, EndpointID: endpointId });
    },
    async allocateNetwork(networkId, options, ipv4, ipv6) {
      const body = await call('allocateNetwork', {
        NetworkID: networkId,
        Options: sortedMap(options),
        IPv4Data: encodeIpamData(ipv4),
        IPv6Data: encodeIpamData(ipv6),
      });
      return stringMapField(body, 'Options');
    },
    async freeNetwork(networkId) {
      await call('freeNetwork', { NetworkID: networkId });
    },
    async discover(change, node) {
      await call(change === 'new' ? 'discoverNew' : 'discoverDelete', encodeDiscovery(node));
    },
  };
}

function scopeField(client: PluginClient, body: unknown, name: string): 'local' | 'global' {
  const scope = stringField(body, name);
  if (scope !== 'local' && scope !== 'global')
    throw systemError(`remote: plugin "${client.name}" has the ${name} "${scope}", expected local or global`);
  return scope;
}
