import { unavailable, type VolumeManager } from '@gantry/sdk';
import { mapOf, nullable, struct, text } from '@gantry/sdk/decode';

const createDocument = struct({
  Name: text,
  Driver: text,
  DriverOpts: mapOf(text),
  Labels: mapOf(text),
  ClusterVolumeSpec: nullable(struct({})),
});

/**
 * Parses the body of POST /volumes/create.
 * @throws invalid-parameter  a field of the wrong type
 * @throws unavailable        a cluster volume is asked for
 */
export function parseCreateRequest(body: unknown): Parameters<VolumeManager['create']>[0] {
  const { Name, Driver, DriverOpts, Labels, ClusterVolumeSpec } = createDocument.decode(body ?? {}, '');
  if (ClusterVolumeSpec !== null)
    throw unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  return { name: Name, driver: Driver, options: DriverOpts, labels: Labels };
}
