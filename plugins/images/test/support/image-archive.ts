import { createHash } from 'node:crypto';
import { tarOf } from './tar';

export const digestOf = (content: Buffer | string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** The config blob of an image with these uncompressed layers. */
export function configOf(layers: readonly Buffer[], extra: Record<string, unknown> = {}): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2024-01-02T03:04:05Z',
      config: { Cmd: ['sh'], Labels: { purpose: 'test' } },
      rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
      history: layers.map((_, i) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${i}` })),
      ...extra,
    }),
  );
}

/** A classic `docker save` archive. @param stored the layers as they stand in it, perhaps compressed */
export function dockerArchive(
  layers: readonly Buffer[],
  tags: readonly string[],
  stored: readonly Buffer[] = layers,
  config = configOf(layers),
): Buffer {
  const configName = `${digestOf(config).slice(7)}.json`;
  const names = stored.map((_, i) => `layer${i}/layer.tar`);
  return tarOf([
    ...stored.map((data, i) => ({ name: names[i]!, data })),
    { name: configName, data: config },
    {
      name: 'manifest.json',
      data: JSON.stringify([{ Config: configName, RepoTags: tags, Layers: names }]),
    },
  ]);
}

/** An OCI layout without manifest.json. */
export function ociLayout(
  layers: readonly Buffer[],
  stored: readonly Buffer[],
  layerType: string,
  tag: string,
): Buffer {
  const config = configOf(layers);
  const descriptor = (mediaType: string, blob: Buffer) => ({ mediaType, digest: digestOf(blob), size: blob.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: stored.map((blob) => descriptor(layerType, blob)),
    }),
  );
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'io.containerd.image.name': tag },
      },
    ],
  };
  return tarOf([
    { name: 'oci-layout', data: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', data: JSON.stringify(index) },
    ...[config, manifest, ...stored].map((data) => ({ name: `blobs/sha256/${digestOf(data).slice(7)}`, data })),
  ]);
}
