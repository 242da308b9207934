import { errorMessage } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from './container';
import { endpointRequest } from './sandbox-request';

/**
 * After a crash in the middle of a connect or disconnect the sandbox may be on other networks than the container's
 * record says. The record decides: what it lacks was never acknowledged.
 */
export async function reconcileNetworks({ id, record }: Container, engine: Engine): Promise<void> {
  const sandbox = engine.networks.sandbox(id);
  if (sandbox?.key === undefined) return;
  const wanted = new Map<string, string>();
  for (const reference of Object.keys(record.networks)) {
    const network = await engine.networks.get(reference).catch(() => undefined);
    if (network) wanted.set(network.id, reference);
  }
  const present = new Set(sandbox.endpoints.map(({ networkId }) => networkId));
  const repairs = [
    ...[...present]
      .filter((network) => !wanted.has(network))
      .map((network) => engine.networks.disconnect(id, network, true)),
    ...[...wanted]
      .filter(([network]) => !present.has(network))
      .map(([, reference]) =>
        engine.networks.connect(
          id,
          endpointRequest(reference, record.networks[reference]!, record.hostConfig.Links ?? []),
        ),
      ),
  ];
  for (const result of await Promise.allSettled(repairs))
    if (result.status === 'rejected')
      engine.log.error('a network of a running container could not be repaired', {
        id,
        error: errorMessage(result.reason),
      });
}
