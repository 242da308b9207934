import { familiarString, type Reference } from '../reference/reference';
import type { Credentials } from '../registry/credentials';
import { type Manifest, mediaTypes, parseManifest } from '../registry/manifests';
import type { Platform } from '../registry/platform';
import { accessTo } from '../registry/registries';
import { RegistryError } from '../registry/registry-error';
import { parseImageFile } from '../store/image-config';
import { pullError } from './pull-errors';
import type { Stores } from './stores';

/** What a registry says of an image, without pulling it: DistributionInspect of the API. */
export async function inspectDistribution(
  reference: Reference,
  credentials: Credentials,
  stores: Stores,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const name = reference.digest ?? reference.tag!;
  try {
    const access = accessTo(reference, credentials, 'pull');
    const { client, result } = await stores.registries.connect(
      access,
      (found) => found.getManifest(name, signal),
      signal,
    );
    const manifest = parseManifest(result.body, result.contentType, familiarString(reference));
    const platforms =
      manifest.kind === 'index'
        ? manifest.manifests.flatMap((item) => item.platform ?? [])
        : [platformOf(await client.readBlob(manifest.config.digest, signal))];
    const mediaType = result.contentType.split(';')[0] || defaultType(manifest);
    return {
      Descriptor: { mediaType, digest: result.digest, size: result.body.length },
      Platforms: platforms,
    };
  } catch (error) {
    // As the registry says it, unlike a pull.
    throw error instanceof RegistryError && error.kind === 'not-found' ? error : pullError(error, reference);
  }
}

function platformOf(config: Buffer): Platform {
  const { os, architecture, variant } = parseImageFile(config);
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}

const defaultType = (manifest: Manifest) => (manifest.kind === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest);
