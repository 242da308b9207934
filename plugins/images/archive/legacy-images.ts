import { sortedMap } from '@gantry/sdk/wire';
import { dockerJson, isEmpty, wholeContainerConfig } from '../store/container-config';
import { chainIds, sha256 } from '../store/digests';
import { isObject } from '../store/image-config';

/**
 * What engines before 1.10 knew as an image, for each layer of this one from the base upwards: the topmost says what
 * the image's config says, those below stand for nothing but their place. dockerd puts them into its archives still.
 *
 * @param config the image's config blob
 * @returns JSON documents, byte for byte as dockerd writes them
 */
export function legacyImages(config: Buffer, diffIds: readonly string[]): Buffer[] {
  const image = JSON.parse(config.toString()) as Record<string, unknown>;
  const documents: Buffer[] = [];
  let parent: string | undefined;
  for (const [index, chainId] of chainIds(diffIds).entries()) {
    const isTop = index === diffIds.length - 1;
    const facts = isTop ? ownFacts(image) : { created: '1970-01-01T00:00:00Z', container_config: {} };
    const id: string = legacyId(facts, chainId, parent);
    const document = { id: id.slice('sha256:'.length), parent: parent?.slice('sha256:'.length), ...facts };
    documents.push(dockerJson(inOrder({ ...document, os: image.os })));
    parent = id;
  }
  return documents;
}

const keys = ['comment', 'created', 'container', 'docker_version', 'author', 'architecture', 'variant', 'os'] as const;

function ownFacts(image: Record<string, unknown>): Record<string, unknown> {
  return {
    ...Object.fromEntries(keys.map((key) => [key, image[key]])),
    container_config: isObject(image.container_config) ? image.container_config : {},
    config: isObject(image.config) ? image.config : undefined,
  };
}

const order = [
  'id',
  'parent',
  'comment',
  'created',
  'container',
  'container_config',
  'docker_version',
  'author',
  'config',
  'architecture',
  'variant',
  'os',
] as const;

function inOrder(facts: Record<string, unknown>): Record<string, unknown> {
  const ordered: Record<string, unknown> = {};
  for (const key of order) {
    const value = facts[key];
    if (key === 'container_config' || (key === 'config' && isObject(value)))
      ordered[key] = wholeContainerConfig(value as object);
    else if (!isEmpty(value)) ordered[key] = value;
  }
  return ordered;
}

/** The id says what the image is and where it stands. */
function legacyId(facts: Record<string, unknown>, chainId: string, parent: string | undefined): string {
  const named = { ...inOrder(facts), layer_id: chainId, ...(parent === undefined ? {} : { parent }) };
  return sha256(dockerJson(sortedMap(named)));
}
