import { type ApiRoute, conflict, forbidden, invalidParameter, reply } from '@gantry/sdk';
import { flag, nullable, struct, text } from '@gantry/sdk/decode';
import { type EndpointSettings, endpointDocument } from '../config/container-config';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { endpointRequest } from '../run/sandbox-request';
import { isAlive } from '../run/state';

const connectDocument = struct({ Container: text, EndpointConfig: nullable(endpointDocument) });
const disconnectDocument = struct({ Container: text, Force: flag });

/** Joining a container to a network and leaving it: part of this engine because the container remembers it. */
export function networkRoutes(engine: Engine): ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/networks/{id}/connect',
      handle: async (request) => {
        const body = connectDocument.decode(await request.json(), '');
        const container = engine.index.get(body.Container);
        await connect(container, request.params.id ?? '', body.EndpointConfig ?? {}, engine);
        return reply.empty(200);
      },
    },
    {
      method: 'POST',
      path: '/networks/{id}/disconnect',
      handle: async (request) => {
        const body = disconnectDocument.decode(await request.json(), '');
        const container = engine.index.get(body.Container);
        await disconnect(container, request.params.id ?? '', body.Force, engine);
        return reply.empty(200);
      },
    },
  ];
}

async function connect(container: Container, reference: string, settings: EndpointSettings, engine: Engine) {
  const network = await engine.networks.get(reference);
  await engine.locks.run(container.id, async () => {
    const { record } = container;
    assertNotGoing(container);
    if (record.hostConfig.NetworkMode.startsWith('container:'))
      throw forbidden(
        'container sharing network namespace with another container or host cannot be connected to any other network',
      );
    if (record.hostConfig.NetworkMode === 'host' || network.driver === 'host')
      throw forbidden('container cannot be connected to host network');
    if (record.hostConfig.NetworkMode === 'none' && Object.hasOwn(record.networks, 'none') && network.name !== 'none')
      throw forbidden(
        'container cannot be connected to multiple networks with one of the networks in private (none) mode',
      );
    if (Object.hasOwn(record.networks, network.name) && !settings.IPAMConfig && isAlive(container.state))
      throw forbidden(`endpoint with name ${record.name} already exists in network ${network.name}`);
    const endpoint = endpointRequest(network.name, settings, []);
    engine.networks.checkEndpoint(endpoint);
    if (isAlive(container.state)) await engine.networks.connect(container.id, endpoint);
    record.networks = { ...record.networks, [network.name]: settings };
    container.touch();
    await engine.store.save(record, { durable: true });
  });
}

async function disconnect(container: Container, reference: string, force: boolean, engine: Engine) {
  await engine.locks.run(container.id, async () => {
    const { record } = container;
    if (!force) assertNotGoing(container);
    const network = await engine.networks.get(reference);
    if (record.hostConfig.NetworkMode === 'host' && network.name === 'host')
      throw invalidParameter('container cannot be disconnected from host network or connected to host network');
    const key = Object.hasOwn(record.networks, network.name) ? network.name : reference;
    if (!Object.hasOwn(record.networks, key))
      throw forbidden(`container ${container.id} is not connected to network ${network.name}`);
    if (isAlive(container.state)) await engine.networks.disconnect(container.id, network.id, force);
    const { [key]: _left, ...others } = record.networks;
    record.networks = others;
    container.touch();
    await engine.store.save(record, { durable: true });
  });
}

function assertNotGoing({ id, state }: Container): void {
  if (state.status === 'removing' || state.status === 'dead')
    throw conflict(`container ${id} is marked for removal and cannot be connected or disconnected to the network`);
}
