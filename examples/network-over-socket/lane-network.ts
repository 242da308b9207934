import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { conflict, invalidParameter, type NetworkDriver, notFound } from '@gantry/sdk';

const run = promisify(execFile);
const ip = async (...args: string[]): Promise<string> => (await run('ip', args)).stdout;

/** Names in the kernel follow from ids, so that this driver needs no books: what is there is what was made. */
const laneOf = (networkId: string): string => `lane-${networkId.slice(0, 8)}`;
const hostEnd = (endpointId: string): string => `lnh${endpointId.slice(0, 8)}`;
const farEnd = (endpointId: string): string => `lnc${endpointId.slice(0, 8)}`;

/** Networks that are bare Linux bridges: containers reach each other and the host, and nothing is translated. */
export const laneNetwork: NetworkDriver = {
  capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),

  async createNetwork(networkId, { generic }, ipv4, ipv6) {
    const mtu = generic.mtu ?? '1500';
    if (!/^\d{3,4}$/.test(mtu)) throw invalidParameter(`invalid mtu "${mtu}": 3 or 4 digits are expected`);
    const lane = laneOf(networkId);
    if (await exists(lane)) throw conflict(`network ${networkId} exists`);
    await ip('link', 'add', lane, 'mtu', mtu, 'type', 'bridge');
    try {
      for (const { gateway } of [...ipv4, ...ipv6])
        if (gateway) await ip('addr', 'add', gateway, 'dev', lane, ...(gateway.includes(':') ? ['nodad'] : []));
      await ip('link', 'set', lane, 'up');
    } catch (error) {
      await ip('link', 'delete', lane);
      throw error;
    }
  },

  deleteNetwork: (networkId) => remove(laneOf(networkId)),

  async createEndpoint(networkId, endpointId) {
    const lane = laneOf(networkId);
    await assertNetwork(networkId);
    if (await exists(hostEnd(endpointId))) throw conflict(`endpoint ${endpointId} exists`);
    await ip(
      'link',
      'add',
      hostEnd(endpointId),
      'master',
      lane,
      'up',
      'type',
      'veth',
      'peer',
      'name',
      farEnd(endpointId),
    );
    return {};
  },

  // The far end goes with it, wherever it is.
  deleteEndpoint: (_networkId, endpointId) => remove(hostEnd(endpointId)),

  async endpointInfo(_networkId, endpointId) {
    await assertEndpoint(endpointId);
    return { interface: hostEnd(endpointId) };
  },

  async join(networkId, endpointId) {
    await assertNetwork(networkId);
    await assertEndpoint(endpointId);
    const [gateway, gatewayIPv6] = await gatewaysOf(laneOf(networkId));
    return { interfaceName: { srcName: farEnd(endpointId), dstPrefix: 'lane' }, gateway, gatewayIPv6 };
  },

  leave: async () => undefined,
};

async function gatewaysOf(lane: string): Promise<[string | undefined, string | undefined]> {
  const [link] = JSON.parse(await ip('-j', 'addr', 'show', 'dev', lane)) as [{ addr_info: Address[] }];
  const first = (family: string) =>
    link.addr_info.find((one) => one.family === family && one.scope === 'global')?.local;
  return [first('inet'), first('inet6')];
}

interface Address {
  readonly family: string;
  readonly scope: string;
  readonly local: string;
}

async function assertNetwork(networkId: string): Promise<void> {
  if (!(await exists(laneOf(networkId)))) throw notFound(`network ${networkId} is not there`);
}

async function assertEndpoint(endpointId: string): Promise<void> {
  if (!(await exists(hostEnd(endpointId)))) throw notFound(`endpoint ${endpointId} is not there`);
}

function exists(link: string): Promise<boolean> {
  return ip('link', 'show', link).then(
    () => true,
    () => false,
  );
}

/** Gone already is fine. */
async function remove(link: string): Promise<void> {
  if (await exists(link)) await ip('link', 'delete', link);
}
