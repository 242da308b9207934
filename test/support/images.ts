import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { makeTar, type TarEntry } from './tar';

/** Everything of an image, so that it can be put into whichever form a test needs. */
export interface TestImage {
  /** Such as "busybox:latest". */
  readonly reference: string;
  readonly config: Buffer;
  /** Uncompressed layers, lowest first. */
  readonly layers: readonly Buffer[];
}

export interface ImageOptions {
  readonly reference?: string;
  /** Fields of the image's `config` object, in the image specification's PascalCase. */
  readonly config?: Record<string, unknown>;
  /** More layers on top of busybox. */
  readonly layers?: readonly (readonly TarEntry[])[];
}

export function digestOf(data: Buffer | string): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** An image of the static busybox with a link for each of its commands. */
export function busyboxImage(options: ImageOptions = {}): TestImage {
  const layers = [busyboxLayer(), ...(options.layers ?? []).map(makeTar)];
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...options.config },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    history: layers.map((_, i) => ({ created: '2020-01-01T00:00:00Z', created_by: `test layer ${i}` })),
  };
  return { reference: options.reference ?? 'busybox:latest', config: Buffer.from(JSON.stringify(config)), layers };
}

/** What `docker save` of older engines writes: manifest.json, one config, one folder per layer. */
export function dockerArchive(...images: TestImage[]): Buffer {
  const entries: TarEntry[] = [];
  const manifest = images.map((image) => {
    const id = digestOf(image.config).slice(7);
    entries.push({ name: `${id}.json`, data: image.config });
    const layers = image.layers.map((layer) => {
      const folder = digestOf(layer).slice(7);
      if (!entries.some((entry) => entry.name === `${folder}/`)) {
        entries.push({ name: `${folder}/` }, { name: `${folder}/layer.tar`, data: layer });
      }
      return `${folder}/layer.tar`;
    });
    return { Config: `${id}.json`, RepoTags: [image.reference], Layers: layers };
  });
  return makeTar([...entries, { name: 'manifest.json', data: JSON.stringify(manifest) }]);
}

export interface OciParts {
  readonly manifest: Buffer;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

/** Manifest and blobs with gzip layers, as a registry or an OCI layout holds them. */
export function ociParts(image: TestImage): OciParts {
  const blobs = new Map<string, Buffer>();
  const put = (data: Buffer, mediaType: string) => {
    blobs.set(digestOf(data), data);
    return { mediaType, digest: digestOf(data), size: data.length };
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: put(image.config, 'application/vnd.oci.image.config.v1+json'),
    layers: image.layers.map((layer) =>
      put(gzipSync(layer, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip'),
    ),
  };
  return { manifest: Buffer.from(JSON.stringify(manifest)), blobs };
}

/** A tar of an OCI image layout. */
export function ociLayout(image: TestImage): Buffer {
  const { manifest, blobs } = ociParts(image);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf(manifest),
        size: manifest.length,
        annotations: {
          'io.containerd.image.name': `docker.io/library/${image.reference}`,
          'org.opencontainers.image.ref.name': image.reference.split(':')[1] ?? 'latest',
        },
      },
    ],
  };
  return makeTar([
    { name: 'blobs/' },
    { name: 'blobs/sha256/' },
    ...[...blobs, [digestOf(manifest), manifest] as const].map(([digest, data]) => ({
      name: `blobs/sha256/${digest.slice(7)}`,
      data,
    })),
    { name: 'index.json', data: JSON.stringify(index) },
    { name: 'oci-layout', data: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}

let cachedLayer: Buffer | undefined;

function busyboxLayer(): Buffer {
  if (cachedLayer) return cachedLayer;
  const busybox = readFileSync('/bin/busybox');
  const commands = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  cachedLayer = makeTar([
    ...['bin/', 'dev/', 'etc/', 'proc/', 'root/', 'sys/', 'var/'].map((name) => ({ name })),
    { name: 'tmp/', mode: 0o1777 },
    { name: 'bin/busybox', data: busybox, mode: 0o755 },
    ...commands.filter((name) => name !== 'busybox').map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
    { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
    { name: 'etc/group', data: 'root:x:0:\nnobody:x:65534:\n' },
  ]);
  return cachedLayer;
}
