import { invalidParameter, notFound, notImplemented } from '@gantry/sdk';
import { isDigest } from '../reference/reference';
import { isObject } from '../store/image-config';
import { hostPlatform, type Platform, platformRank, platformString } from './platform';

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  pluginConfig: 'application/vnd.docker.plugin.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
} as const;

/** What pulls ask for; schema 1 is named so that a registry shows it rather than "unknown". */
export const acceptedManifests = [
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  'application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1',
].join(', ');

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
}

export type Manifest =
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] };

const imageConfigs: ReadonlySet<string> = new Set([
  mediaTypes.dockerConfig,
  'application/vnd.oci.image.config.v1+json',
]);

/** @throws invalid-parameter malformed, or schema 1; not-implemented  not a container image */
export function parseManifest(body: Buffer, contentType: string, shown: string): Manifest {
  const manifest = parseAnyManifest(body, contentType, shown);
  if (manifest.kind === 'image' && !imageConfigs.has(manifest.config.mediaType))
    throw notImplemented(`${shown} is not a container image: its config is of type ${manifest.config.mediaType}`);
  return manifest;
}

/** Whatever the config is. @throws invalid-parameter malformed, or schema 1 */
export function parseAnyManifest(body: Buffer, contentType: string, shown: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (!isObject(value)) throw invalidParameter(`the manifest of ${shown} is not a JSON object`);
  const mediaType = typeof value.mediaType === 'string' ? value.mediaType : contentType.split(';')[0]!.trim();
  if (value.schemaVersion === 1)
    throw invalidParameter(
      'Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. ' +
        `Suggest the author of ${shown} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. ` +
        'More information at https://docs.docker.com/go/deprecated-image-specs/',
    );
  if (Array.isArray(value.manifests)) {
    if (Array.isArray(value.layers) || isObject(value.config))
      throw invalidParameter(`the manifest of ${shown} is an index and an image at once`);
    return { kind: 'index', manifests: value.manifests.map((item) => descriptor(item, shown)) };
  }
  if (!isObject(value.config) || !Array.isArray(value.layers))
    throw invalidParameter(`unsupported manifest media type ${mediaType} of ${shown}`);
  const config = descriptor(value.config, shown);
  return { kind: 'image', config, layers: value.layers.map((item) => descriptor(item, shown)) };
}

/** The best fitting image of an index. @throws not-found */
export function chooseManifest(manifests: readonly Descriptor[], platform: Platform | undefined): Descriptor {
  const wanted = platform ?? hostPlatform();
  let best: Descriptor | undefined;
  let bestRank = -1;
  for (const candidate of manifests) {
    // An entry without a platform can only be judged by its config; it is the last choice.
    const rank = candidate.platform === undefined ? -0.5 : platformRank(wanted, candidate.platform);
    if (rank > bestRank) [best, bestRank] = [candidate, rank];
  }
  if (best === undefined || (bestRank < 0 && manifests.length > 1))
    throw notFound(`no matching manifest for ${platformString(wanted)} in the manifest list entries`);
  return best;
}

function descriptor(value: unknown, shown: string): Descriptor {
  if (!isObject(value) || typeof value.digest !== 'string' || !isDigest(value.digest))
    throw invalidParameter(`the manifest of ${shown} has a descriptor without a valid digest`);
  const size = value.size;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalidParameter(`the manifest of ${shown} has a descriptor without a valid size`);
  const platform = isObject(value.platform) ? value.platform : undefined;
  return {
    mediaType: typeof value.mediaType === 'string' ? value.mediaType : '',
    digest: value.digest,
    size,
    platform:
      platform === undefined || typeof platform.os !== 'string' || typeof platform.architecture !== 'string'
        ? undefined
        : {
            os: platform.os,
            architecture: platform.architecture,
            variant: typeof platform.variant === 'string' ? platform.variant : undefined,
          },
  };
}
