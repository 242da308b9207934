import { type ApiRoute, conflict, forbidden, invalidParameter, type NetworkSummary, reply } from '@gantry/sdk';
import { flag, nullable, struct, text } from '@gantry/sdk/decode';
import { type EndpointSettings, endpointDocument } from '../config/container-config';
import type { Engine } from '../engine';
import type { ContainerRecord } from '../records/container-record';
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
    assertCompatible(record, network);
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

/** @throws invalid-parameter  the container's networks and this one exclude each other */
function assertCompatible({ hostConfig, networks }: ContainerRecord, network: NetworkSummary): void {
  const mode = hostConfig.NetworkMode;
  if (network.driver === 'host' && mode !== 'host')
    throw invalidParameter('cannot connect container to host network - container must be created in host network mode');
  if (mode.startsWith('container:') || (mode === 'host' && network.driver !== 'host'))
    throw invalidParameter(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  const others = Object.keys(networks).filter((name) => name !== network.name);
  if (others.includes('none') || (network.name === 'none' && others.length > 0))
    throw invalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
}

function assertNotGoing({ id, state }: Container): void {
  if (state.status === 'removing' || state.status === 'dead')
    throw conflict(`container ${id} is marked for removal and cannot be connected or disconnected to the network`);
}
