import { type ApiVersion, apiVersionAtLeast, type ImageConfig, type VersionShim } from '@gantry/sdk';
import { createdAt, type ListedImage } from '../engine/list';
import type { Stores } from '../engine/stores';
import { familiarString } from '../reference/reference';
import { isEmpty } from '../store/container-config';
import { isObject } from '../store/image-config';
import type { StoredImage } from '../store/image-store';

/** ImageSummary of the API. */
export function renderSummary(listed: ListedImage, containers: number): Record<string, unknown> {
  const { image } = listed;
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: listed.tags.map(familiarString),
    RepoDigests: listed.digests.map(familiarString),
    Created: Math.floor(createdAt(image) / 1000),
    Size: image.sizeBytes,
    SharedSize: listed.sharedBytes ?? -1,
    Labels: image.file.config.Labels ?? null,
    Containers: containers,
  };
}

/** ImageInspect of the API. */
export function renderInspect(image: StoredImage, stores: Stores, apiVersion: ApiVersion): Record<string, unknown> {
  const { file } = image;
  const top = image.chainIds.at(-1);
  return {
    Id: image.id,
    RepoTags: stores.references.tagsOf(image.id),
    RepoDigests: stores.references.digestsOf(image.id),
    Parent: image.parent ?? '',
    Comment: file.comment ?? file.history.at(-1)?.comment ?? '',
    ...(file.created === undefined ? {} : { Created: file.created }),
    DockerVersion: file.docker_version ?? '',
    Author: file.author ?? '',
    Architecture: file.architecture,
    ...(file.variant ? { Variant: file.variant } : {}),
    Os: file.os,
    ...(file['os.version'] ? { OsVersion: file['os.version'] } : {}),
    Size: image.sizeBytes,
    GraphDriver: { Data: top === undefined ? {} : stores.snapshotter.describe(top), Name: stores.storageDriver },
    RootFS: {
      Type: 'layers',
      ...(file.rootfs.diff_ids.length > 0 ? { Layers: file.rootfs.diff_ids } : {}),
    },
    Metadata: { LastTagTime: image.lastTagTime ?? '0001-01-01T00:00:00Z' },
    Config: renderConfig(file.config),
    // compose 1.29 finds the anonymous volumes of a container it replaces here.
    ...(apiVersionAtLeast(apiVersion, '1.45')
      ? {}
      : { Container: file.container ?? '', ContainerConfig: { ...legacyConfig, ...file.container_config } }),
  };
}

const configKeys = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'StopTimeout',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const;

/** Of a config without them these are shown all the same: clients read them without asking whether they are there. */
const alwaysShown = {
  Cmd: null,
  Entrypoint: null,
  Env: null,
  Labels: null,
  OnBuild: null,
  User: '',
  Volumes: null,
  WorkingDir: '',
};

function renderConfig(config: ImageConfig): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...alwaysShown };
  for (const key of configKeys) {
    const value = config[key];
    if (!isEmpty(value)) shown[key] = value;
  }
  return Object.fromEntries(Object.entries(shown).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Fields of a container's config that older inspect replies repeat for images. */
const legacyConfig = {
  ...alwaysShown,
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};

export const inspectShims: readonly VersionShim[] = [
  {
    before: '1.50',
    why: 'Config had every field of a container config',
    response: (body) => (isObject(body) ? { ...body, Config: { ...legacyConfig, ...(body.Config as object) } } : body),
  },
  {
    before: '1.44',
    why: 'VirtualSize repeated Size',
    response: (body) => (isObject(body) ? withVirtualSize(body) : body),
  },
];

function withVirtualSize(item: Record<string, unknown>): Record<string, unknown> {
  return { ...item, VirtualSize: item.Size };
}

export const listShims: readonly VersionShim[] = [
  {
    before: '1.51',
    why: 'containers of an image were counted for the disk usage only',
    response: (body) => mapItems(body, (item) => ({ ...item, Containers: -1 })),
  },
  {
    before: '1.44',
    why: 'VirtualSize repeated Size',
    response: (body) => mapItems(body, withVirtualSize),
  },
  {
    before: '1.43',
    why: 'an image without names was shown as <none>, and without digests as null',
    response: (body) =>
      mapItems(body, (item) => {
        const unnamed = (item.RepoTags as unknown[]).length === 0 && (item.RepoDigests as unknown[]).length === 0;
        if (unnamed) return { ...item, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
        return { ...item, RepoDigests: nullIfEmpty(item.RepoDigests as unknown[]) };
      }),
  },
];

/** As a list that nothing was put into is written in JSON. */
export const nullIfEmpty = <T>(list: readonly T[]): readonly T[] | null => (list.length > 0 ? list : null);

function mapItems(body: unknown, change: (item: Record<string, unknown>) => Record<string, unknown>): unknown {
  return Array.isArray(body) ? body.map((item) => (isObject(item) ? change(item) : item)) : body;
}
