const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { conflict, invalidParameter, notFound } = require('@gantry/sdk');

const run = promisify(execFile);
/** @param {string[]} words */
const ip = (...words) => run('ip', words);

/**
 * A bridge for each network and a pair of interfaces for each endpoint. Needs root and the program `ip`.
 *
 * @returns {Promise<import('@gantry/sdk').NetworkDriver>}
 */
exports.openDriver = async () => {
  /** @type {Map<string, { bridge: string, gateway: string, endpoints: Map<string, { mac: string }> }>} */
  const networks = new Map();
  /** @param {string} id */
  const find = (id) => {
    const network = networks.get(id);
    if (network === undefined) throw notFound(`no such network: ${id}`);
    return network;
  };
  /** @param {string} network @param {string} id */
  const findEndpoint = (network, id) => {
    const endpoint = find(network).endpoints.get(id);
    if (endpoint === undefined) throw notFound(`no such endpoint: ${id}`);
    return endpoint;
  };
  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),
    async createNetwork(id, options, ipv4) {
      for (const option of Object.keys(options.generic)) throw invalidParameter(`there is no option "${option}"`);
      const [bridge, gateway = ''] = [`nd-${id.slice(0, 9)}`, ipv4[0]?.gateway];
      await ip('link', 'add', bridge, 'type', 'bridge');
      if (gateway !== '') await ip('address', 'add', gateway, 'dev', bridge);
      await ip('link', 'set', bridge, 'up');
      networks.set(id, { bridge, gateway: gateway.split('/')[0], endpoints: new Map() });
    },
    async deleteNetwork(id) {
      await ip('link', 'delete', find(id).bridge);
      networks.delete(id);
    },
    async createEndpoint(network, id, given) {
      const { endpoints } = find(network);
      if (endpoints.has(id)) throw conflict(`endpoint ${id} is there already`);
      endpoints.set(id, { mac: given.macAddress });
      return {};
    },
    deleteEndpoint: async (network, id) => void (findEndpoint(network, id), find(network).endpoints.delete(id)),
    endpointInfo: async (network, id) => ({ ...findEndpoint(network, id) }),
    async join(network, id) {
      const { mac } = findEndpoint(network, id);
      const [outside, inside] = [`no${id.slice(0, 9)}`, `ni${id.slice(0, 9)}`];
      await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, ...(mac ? ['address', mac] : []));
      await ip('link', 'set', outside, 'master', find(network).bridge, 'up');
      return { interfaceName: { srcName: inside, dstPrefix: 'eth' }, gateway: find(network).gateway || undefined };
    },
    leave: async (_network, id) => void (await ip('link', 'delete', `no${id.slice(0, 9)}`).catch(() => undefined)),
  };
};
