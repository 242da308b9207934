import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CleanupStack,
  EngineError,
  errorMessage,
  type ImageLease,
  type ImageSummary,
  invalidParameter,
} from '@gantry/sdk';
import type { ContextTrees } from '../context/context-trees';
import type { CopySource, SelectRequest } from '../copy/select-files';
import type { Dockerfile } from '../dockerfile/instructions';
import { credentialsFor } from './base-credentials';
import type { BuildRequest } from './build-request';
import type { Builder } from './builder';
import type { BuildOutput } from './output';
import type { BuildProgress } from './progress';
import type { Step } from './stage-runner';
import type { StageState } from './stage-state';

/** What an image takes over from its stage. */
export type CommittedState = Pick<StageState, 'imageId' | 'config' | 'author' | 'platform'>;

/** Everything as it is, to the root. */
export const copyAll = {
  instruction: 'COPY',
  destination: '/',
  chown: undefined,
  owner: undefined,
  chmod: undefined,
  unpack: 'none',
  parents: false,
} as const;

/** A commit of a build step. */
export interface StepCommit {
  readonly state: CommittedState;
  /** Undefined = nothing is added to the history. */
  readonly createdBy: string | undefined;
  /** Under which the result is kept. */
  readonly key: string;
  readonly containerId?: string;
  readonly consume?: boolean;
  readonly layerOf?: { readonly imageId: string; readonly index: number };
  readonly comment?: string;
  /** What was run in the container. */
  readonly command?: readonly string[];
  readonly signal: AbortSignal;
}

/** What the parts of one build share. */
export class Build {
  readonly startedAt = new Date();
  /** SOURCE_DATE_EPOCH, when the client asks for the same image each time. */
  readonly createdAt: Date | undefined;
  private readonly removals: Promise<void>[] = [];
  /** Nobody takes away what this build stands on. */
  private readonly lease: ImageLease;
  private readonly bases = new Map<string, Promise<ImageSummary>>();
  private number = 0;

  constructor(
    readonly builder: Builder,
    readonly request: BuildRequest,
    readonly dockerfile: Dockerfile,
    readonly trees: ContextTrees,
    readonly folder: string,
    readonly progress: BuildProgress,
    readonly stageImage: (name: string, before: number) => Promise<{ imageId: string | undefined }> | undefined,
  ) {
    this.lease = builder.images.lease();
    const epoch = request.buildArgs.SOURCE_DATE_EPOCH;
    if (epoch === undefined || epoch === null || epoch === '') return;
    if (!/^\d{1,12}$/.test(epoch))
      throw invalidParameter(`invalid SOURCE_DATE_EPOCH: ${epoch}: it is a number of seconds since 1970`);
    this.createdAt = new Date(Number(epoch) * 1000);
  }

  nextNumber(): number {
    return this.number++;
  }

  /** The image of an equal step. */
  async lookUp(
    key: string,
    createdBy: string,
    state: CommittedState,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (this.request.noCache) return undefined;
    const known = await this.builder.cache.find(key);
    if (known !== undefined && this.lease.hold(known)) return known;
    if (this.request.cacheFrom.length === 0) return undefined;
    return this.lookUpElsewhere(key, createdBy, state, signal);
  }

  /** The same step in the history of an image the client trusts. */
  private async lookUpElsewhere(
    key: string,
    createdBy: string,
    state: CommittedState,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { images } = this.builder;
    if (state.imageId === undefined) return undefined;
    const [own, layers] = [await images.history(state.imageId), (await images.resolve(state.imageId)).layers];
    for (const reference of this.request.cacheFrom) {
      const other = await images.resolve(reference).catch(() => undefined);
      if (other === undefined || layers.some((layer, index) => other.layers[index] !== layer)) continue;
      const theirs = await images.history(other.id);
      const next = theirs[own.length];
      if (next?.createdBy !== createdBy) continue;
      if (own.some((entry, index) => entry.createdBy !== theirs[index]!.createdBy)) continue;
      const layerOf = next.emptyLayer ? undefined : { imageId: other.id, index: layers.length };
      return this.commit({ state, createdBy, key, signal, ...(layerOf === undefined ? {} : { layerOf }) });
    }
    return undefined;
  }

  /** Makes the image of a step. @returns its id */
  async commit(step: StepCommit): Promise<string> {
    const { state, createdBy, key, containerId, consume, layerOf, comment, signal } = step;
    const { dialect } = this.request;
    const [os = 'linux', architecture = '', variant] = state.platform.split('/');
    const containerConfig =
      createdBy && this.createdAt === undefined ? dialect.container(state, createdBy, step.command) : undefined;
    const { image } = await this.builder.images.commit(
      {
        ...(state.imageId === undefined ? {} : { parentId: state.imageId }),
        ...(containerId === undefined ? {} : { containerId }),
        ...(consume ? { consume } : {}),
        ...(this.request.dialect.keepsEmptyLayers ? { keepEmpty: true } : {}),
        ...(layerOf === undefined ? {} : { layerOf }),
        ...(this.createdAt === undefined ? {} : { createdAt: this.createdAt }),
        config: state.config,
        ...(containerConfig === undefined ? {} : { containerConfig }),
        lease: this.lease,
        step: key,
        createdBy: createdBy ?? '',
        ...(createdBy === undefined ? { unrecorded: true } : {}),
        author: state.author,
        comment: comment ?? dialect.comment,
        ...(state.imageId === undefined ? { platform: { os, architecture, ...(variant ? { variant } : {}) } } : {}),
      },
      signal,
    );
    await this.builder.cache.add(key, image.id, createdBy ?? '');
    return image.id;
  }

  /** A base image, fetched when it is not here. Asked for once in a build. */
  base(
    reference: string,
    platform: string,
    output: BuildOutput | undefined,
    signal: AbortSignal,
  ): Promise<ImageSummary> {
    const key = `${reference} ${platform}`;
    let found = this.bases.get(key);
    if (found === undefined) {
      const shown = this.progress.base(reference, output);
      found = this.findBase(reference, platform, shown.output, signal).then((image) => {
        this.lease.hold(image.id);
        return image;
      });
      found.then(
        () => shown.end(),
        (error: unknown) => shown.end(error),
      );
      this.bases.set(key, found);
    }
    return found;
  }

  /** The image behind `--from`: an earlier stage, or an image by name. */
  async sourceImage(from: string, { stage, state, output, signal }: Step): Promise<string | undefined> {
    const named = this.trees.named(from);
    const earlier = named === undefined ? this.stageImage(from, stage.index) : undefined;
    if (earlier !== undefined) return (await earlier).imageId;
    if (from === 'scratch') return undefined;
    try {
      const reference = named?.kind === 'image' ? named.reference : from;
      return (await this.base(reference, state.platform, output, signal)).id;
    } catch (error) {
      throw new EngineError(
        error instanceof EngineError ? error.kind : 'system',
        this.request.dialect.missingSource(from, errorMessage(error)),
        { cause: error },
      );
    }
  }

  /** Files of an image or stage. What they are worth is remembered, so that a cached step needs no look at them. */
  async selectFromImage(from: string, request: SelectRequest, step: Step) {
    const image = await this.sourceImage(from, step);
    const { files } = this.builder;
    const cleanup = new CleanupStack();
    let root: Promise<{ path: string }> | undefined;
    const open = () => {
      root ??= this.openRootFilesystem(image).then((opened) => {
        cleanup.push(opened.close);
        return opened;
      });
      return root;
    };
    const close = async () => {
      await root?.catch(() => undefined);
      await cleanup.runAll();
    };
    const key = JSON.stringify([image, request]);
    const known = this.builder.cache.fileLabels.get(key);
    try {
      const label = known ?? (await files.label((await open()).path, request));
      this.builder.cache.fileLabels.set(key, label);
      return { label, open: async () => ({ from: (await open()).path, request }), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** An image's files, to look at or to write on; what is written is dropped. */
  async openRootFilesystem(imageId: string | undefined): Promise<{ path: string; close: () => Promise<void> }> {
    const { images } = this.builder;
    const id = randomBytes(32).toString('hex');
    const root = await images.createRootFilesystem(id, imageId, { bare: true });
    const close = () => images.removeRootFilesystem(id);
    try {
      return { path: await root.mount(), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Gives `work` a writable copy of an image; it may commit it under its id. */
  async withRootFilesystem(
    imageId: string | undefined,
    work: (id: string, path: string) => Promise<void>,
  ): Promise<void> {
    const { images } = this.builder;
    const id = randomBytes(32).toString('hex');
    const root = await images.createRootFilesystem(id, imageId, { bare: true });
    try {
      await work(id, await root.mount());
    } finally {
      this.later(images.removeRootFilesystem(id));
    }
  }

  /** A part of the context as real files: a directory, or a directory with `file` in it. Lives as long as the build. */
  async unpackContext(source: CopySource): Promise<string> {
    const path = join(this.folder, `tree-${this.nextNumber()}`);
    await mkdir(path, { mode: 0o755 });
    const items = source.isDirectory ? source.items : source.items.map((item) => ({ ...item, path: 'file' }));
    await this.builder.files.unpackTree(items, path);
    return path;
  }

  /** Copies files of an image or stage into a new cache mount. */
  async seed(from: string, source: string, target: string, step: Step): Promise<void> {
    const request = {
      instruction: 'COPY',
      sources: [source === '' ? '/' : source],
      excludes: [],
      parents: false,
      fromContext: false,
    } as const;
    const found = await this.selectFromImage(from, request, step);
    try {
      await this.builder.files.copy({ ...copyAll, root: target, sources: await found.open() });
    } finally {
      await found.close();
    }
  }

  /** Makes one layer of everything above the base. @returns the new image's id */
  async squash(state: StageState, baseId: string | undefined, signal: AbortSignal): Promise<string> {
    const { files } = this.builder;
    const key = createHash('sha256').update(`squash ${state.imageId} ${baseId}`).digest('hex');
    const source = await this.openRootFilesystem(state.imageId);
    try {
      let made: string | undefined;
      await this.withRootFilesystem(baseId, async (id, root) => {
        await files.makeEqual(root, source.path);
        const comment = `merge ${state.imageId} to ${baseId ?? ''}`;
        const base = { ...state, imageId: baseId };
        made = await this.commit({ state: base, createdBy: '', key, containerId: id, consume: true, comment, signal });
      });
      return made!;
    } finally {
      await source.close();
    }
  }

  /** The last image of a build with what is the client's to say. @returns undefined when there is none */
  async finishImage(state: StageState, signal: AbortSignal): Promise<string | undefined> {
    const { labels } = this.request;
    if (state.imageId !== undefined && Object.keys(labels).length === 0) return state.imageId;
    const config = { ...state.config, Labels: { ...state.config.Labels, ...labels } };
    const text = JSON.stringify([state.imageId, config, this.createdAt?.getTime(), 'finish']);
    const key = createHash('sha256').update(text).digest('hex');
    const known = await this.lookUp(key, '', state, signal);
    return known ?? this.commit({ state: { ...state, config }, createdBy: undefined, key, signal });
  }

  /** A container of a step. */
  async createContainer(
    imageId: string,
    config: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    hostConfig: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const { request, builder } = this;
    return builder.steps.create(
      { ...config, Image: imageId },
      {
        ...request.resources,
        ...(request.networkMode === '' ? {} : { NetworkMode: request.networkMode }),
        ...(request.extraHosts.length === 0 ? {} : { ExtraHosts: request.extraHosts }),
        // Its output goes to the client and nowhere else.
        LogConfig: { Type: 'none' },
        ...hostConfig,
      },
      signal,
    );
  }

  /** Removes it while the build goes on. */
  removeLater(id: string): void {
    this.later(this.builder.steps.remove(id));
  }

  /** Waits for everything that was left to be done, then forgets it. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.removals);
    this.lease.end();
  }

  private later(work: Promise<void>): void {
    this.removals.push(work);
    work.catch((error: unknown) => {
      this.builder.log.warn('something of a build step could not be removed', { error: errorMessage(error) });
    });
  }

  private async findBase(
    reference: string,
    platform: string,
    output: BuildOutput,
    signal: AbortSignal,
  ): Promise<ImageSummary> {
    const { images } = this.builder;
    if (!this.request.pull) {
      const local = await images.resolve(reference).catch((error: unknown) => {
        if (error instanceof EngineError && error.kind === 'not-found') return undefined;
        throw error;
      });
      if (local !== undefined && fits(local, platform)) return local;
    }
    const credentials = await credentialsFor(reference, this.request, this.builder.sessions, signal);
    return images.pull(
      { reference, platform, ...(credentials === undefined ? {} : { credentials }) },
      (message) => output.message(message),
      signal,
    );
  }
}

function fits({ os, architecture }: ImageSummary, platform: string): boolean {
  const [wantedOs, wantedArchitecture] = platform.split('/');
  return os === wantedOs && (architecture === '' || architecture === wantedArchitecture);
}
