import { invalidParameter, unavailable, type VolumeManager } from '@gantry/sdk';
import { field } from '@gantry/sdk/wire';

/**
 * Parses the body of POST /volumes/create.
 * @throws invalid-parameter  no body, or a field of the wrong type
 * @throws unavailable        a cluster volume is asked for
 */
export function parseCreateRequest(body: unknown): Parameters<VolumeManager['create']>[0] {
  if (body === undefined) throw invalidParameter('invalid JSON: got EOF while reading request body');
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalidParameter('invalid JSON: expected an object with the volume to create');
  const cluster = field(body, 'ClusterVolumeSpec');
  if (cluster !== undefined && cluster !== null)
    throw unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  return {
    name: text(body, 'Name'),
    driver: text(body, 'Driver'),
    options: textMap(body, 'DriverOpts'),
    labels: textMap(body, 'Labels'),
  };
}

function text(body: object, name: string): string {
  const value = field(body, name) ?? '';
  if (typeof value !== 'string') throw invalidParameter(`invalid JSON: "${name}" must be a string`);
  return value;
}

function textMap(body: object, name: string): Record<string, string> {
  const value = field(body, name) ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw invalidParameter(`invalid JSON: "${name}" must be an object of strings`);
  const out: Record<string, string> = {};
  for (const [key, item] of Object.entries(value as object)) {
    if (item !== null && typeof item !== 'string')
      throw invalidParameter(`invalid JSON: "${name}.${key}" must be a string`);
    out[key] = item ?? '';
  }
  return out;
}
