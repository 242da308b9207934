import type { Readable } from 'node:stream';
import { capability } from '../plugin/capability';
import type { ProgressMessage } from '../streams/progress';
import type { ImageConfig } from './oci';
import type { StorageOptions, WritableOptions } from './snapshotter';

/** An image on this machine, as other plugins see it. */
export interface ImageSummary {
  /** `sha256:…` of the config blob. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly os: string;
  readonly architecture: string;
  /** diffIDs from the base upwards. */
  readonly layers: readonly string[];
  /** Familiar `name:tag` references, sorted. */
  readonly repoTags: readonly string[];
  /** Bytes of all layers. */
  readonly sizeBytes: number;
  /** The image it was made from on this machine. */
  readonly parentId?: string;
}

/** An image to be fetched from a registry. */
export interface ImagePull {
  /** `name`, `name:tag` or `name@digest`. */
  readonly reference: string;
  /** `os/architecture[/variant]`; undefined = this machine's. */
  readonly platform?: string;
  /** An `AuthConfig` document of the Engine API; undefined = anonymous. */
  readonly credentials?: unknown;
}

/** The writable root file system of one container. */
export interface RootFilesystem {
  /** Mounts it (idempotent) and returns the absolute path. */
  mount(): Promise<string>;
  /** Unmounts it (idempotent). */
  unmount(): Promise<void>;
  /** What inspect shows: driver name and its data. */
  readonly graphDriver: { readonly name: string; readonly data: Readonly<Record<string, string>> | null };
}

/** An image to be made from another one and what a container has written. */
export interface ImageCommit {
  /** The image it stands on, `sha256:…`; undefined = nothing. */
  readonly parentId?: string;
  /**
   * The container whose writable layer becomes the topmost one; it was made from the parent. Undefined = no new
   * layer, only another configuration. A container that has written nothing adds no layer either, unless `keepEmpty`.
   */
  readonly containerId?: string;
  readonly keepEmpty?: boolean;
  /** Instead of a container: the layer an image has at this place. It must stand there on the parent's layers. */
  readonly layerOf?: { readonly imageId: string; readonly index: number };
  readonly config: ImageConfig;
  /** Dockerfile instructions applied to `config`, one each, such as `CMD ["sh"]`. */
  readonly changes?: readonly string[];
  /** Kept in the image for those who ask where it came from. */
  readonly containerConfig?: object;
  /** The command shown by `docker history`. */
  readonly createdBy: string;
  /** The history stays as it is: for a commit that adds no layer. */
  readonly unrecorded?: boolean;
  readonly author: string;
  readonly comment: string;
  /** Default: the parent's, or this machine's. */
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** `name` or `name:tag` that is to mean the new image. */
  readonly tag?: string;
  /** The container's writable layer is not used any more: it may be moved instead of copied. Remove it afterwards. */
  readonly consume?: boolean;
  /** Instead of now. Files of the layer that are newer get this time too, so that the same steps give the same image. */
  readonly createdAt?: Date;
  /** Holds the new image from the moment it exists. */
  readonly lease?: ImageLease;
  /** What its maker knows it by. Kept with the image, so that one whose maker was killed can be found again. */
  readonly step?: string;
}

/** Images that somebody needs for a while: they are not removed before it ends, also not by force. Not durable. */
export interface ImageLease {
  /** @returns false when the image is not there (any more) */
  hold(imageId: string): boolean;
  /** Gives all of them free. Repeatable. */
  end(): void;
}

/** What a commit made. */
export interface CommittedImage {
  readonly image: ImageSummary;
  /** Familiar `name:tag` it was given, if it was to have one. */
  readonly tag?: string;
}

/** Tells which containers use an image; asked before an image is removed or pruned, and for `docker system df`. */
export interface ImageUsers {
  containersUsing(imageId: string): readonly { readonly id: string; readonly running: boolean }[];
}

/** The images, as other plugins see them. */
export interface ImageManager {
  /**
   * @param reference `name`, `name:tag`, `name@digest`, full id, or unique id prefix
   * @throws not-found          `No such image: <familiar reference with tag>`
   * @throws invalid-parameter  the reference cannot be parsed
   */
  resolve(reference: string): Promise<ImageSummary>;
  /** Ids of the images an image was made from by commits and builds here, nearest first. */
  ancestorsOf(imageId: string): readonly string[];
  /**
   * Makes the writable layer of a container. Durable before it returns.
   *
   * @param imageId undefined = it stands on nothing
   * @param options.bare without the mount points a container needs: to look into an image, or to write a layer by hand
   * @throws conflict  it exists already
   * @throws system    the storage driver cannot do what the storage options ask
   */
  createRootFilesystem(
    containerId: string,
    imageId: string | undefined,
    options?: WritableOptions,
  ): Promise<RootFilesystem>;
  /** Looks at the storage options of a container, before anything is made. @throws system  in dockerd's words */
  checkStorageOptions(options: StorageOptions): void;
  /** The root file system made earlier, also by a daemon before this one. @throws not-found */
  openRootFilesystem(containerId: string): Promise<RootFilesystem>;
  /** Unmounts and removes it. Repeatable; no error when it is gone. */
  removeRootFilesystem(containerId: string): Promise<void>;
  /** Bytes of the writable layer (`sizeRw`) and of all layers with it (`sizeRootFs`). */
  rootFilesystemSize(containerId: string): Promise<{ sizeRw: number; sizeRootFs: number }>;
  /** Paths changed against the image: kind 0 modified, 1 added, 2 deleted, as in GET /containers/{id}/changes. */
  rootFilesystemChanges(containerId: string): Promise<readonly { path: string; kind: 0 | 1 | 2 }[]>;
  /**
   * Makes an image. Durable before it returns; when it fails nothing new stays.
   *
   * @throws not-found          the parent or the container's root file system is gone
   * @throws invalid-parameter  a change or the tag is malformed
   * @throws conflict           the container does not stand on the parent
   */
  commit(request: ImageCommit, signal: AbortSignal): Promise<CommittedImage>;
  /** How an image came about, from the base upwards. @throws not-found */
  history(imageId: string): Promise<readonly { readonly createdBy: string; readonly emptyLayer: boolean }[]>;
  /**
   * Loads the images of an archive: `docker save` or OCI layout, plain, gzip or zstd.
   *
   * @throws invalid-parameter  it is malformed; images before the malformed one stay
   */
  load(archive: Readable, signal: AbortSignal): Promise<void>;
  /** Points `name` or `name:tag` at an image. @returns the familiar reference. @throws not-found, invalid-parameter */
  tag(imageId: string, reference: string): Promise<string>;
  /** @returns the familiar form of `name` or `name:tag`, with its tag. @throws invalid-parameter no image can be named so */
  checkTag(reference: string): string;
  /**
   * Fetches an image.
   *
   * @param onProgress progress messages, as the API streams them
   * @throws not-found  no such image, or no access to it
   */
  pull(request: ImagePull, onProgress: (message: ProgressMessage) => void, signal: AbortSignal): Promise<ImageSummary>;
  /**
   * Removes an image that has no name, no image made from it, and no container; otherwise nothing happens.
   *
   * @returns whether it was removed
   */
  removeUnused(imageId: string): Promise<boolean>;
  /** Opens a lease that holds nothing yet; whoever opens it ends it. */
  lease(): ImageLease;
  /** Whether a lease holds it. */
  isLeased(imageId: string): boolean;
  /** Images committed as a `step` that have no name and no image made from them: their maker may have lost sight of them. */
  looseSteps(): readonly { readonly imageId: string; readonly step: string }[];
  /** Registers who uses images; called once by the container engine. */
  setUsers(users: ImageUsers): void;
  /** Unmounts and removes root file systems of containers that no longer exist; keeps those named. */
  collectRootFilesystems(keep: ReadonlySet<string>): Promise<void>;
}

/** The image store; there is one. */
export const Images1 = capability<ImageManager>('images/v1');
