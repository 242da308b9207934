import { type ApiSubject, errorKind } from '@gantry/sdk';
import type { NetworkRegistry } from '../networks/network-registry';

/** The network that a request names. */
export function requestSubject(
  registry: Pick<NetworkRegistry, 'get'>,
  reference: string | undefined,
): ApiSubject | undefined {
  if (reference === undefined) return undefined;
  try {
    const { id, name, labels } = registry.get(reference);
    return { kind: 'network', id, name, labels };
  } catch (error) {
    if (errorKind(error) === 'system') throw error;
    return undefined;
  }
}
