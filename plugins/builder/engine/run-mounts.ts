import { writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { CleanupStack, invalidParameter } from '@gantry/sdk';
import { digestOf, findSources } from '../copy/select-files';
import { expandWord } from '../dockerfile/expand';
import type { RunMount } from '../dockerfile/instructions';
import { prepareLent } from './lent-mounts';
import type { Step } from './stage-runner';
import { variablesOf } from './stage-state';

/** A file a command is run from. */
export interface Script {
  readonly path: string;
  readonly content: string;
}

/** A mount with its variables replaced. */
export type ExpandedMount = RunMount & { readonly target: string; readonly wantsTarget: boolean };

/** The mounts of one RUN. */
export interface PreparedMounts {
  /** What of them matters for the cache. */
  readonly key: unknown;
  /** Makes their sources. */
  open(): Promise<void>;
  /** Variables as `NAME=value`; complete once open. */
  readonly environment: readonly string[];
  /** HostConfig fields; complete once open. */
  readonly hostConfig: Record<string, unknown>;
  /** Looks which mount points the container lacks. @returns removes those that were made for the mounts */
  stubs(containerId: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** @throws invalid-parameter  a mount this builder cannot make, or one without a source */
export async function prepareMounts(
  mounts: readonly RunMount[],
  script: Script | undefined,
  step: Step,
): Promise<PreparedMounts> {
  const { build, state } = step;
  const undo = new CleanupStack();
  const binds: object[] = [];
  const environment: string[] = [];
  const targets: string[] = [];
  const prepared: { readonly key: unknown; open(): Promise<void> }[] = [];
  for (const raw of mounts) {
    const mount = expandMount(raw, step);
    if (mount.type === 'secret' || mount.type === 'ssh') {
      const lent = prepareLent(mount, mount.type, prepared.length, step, { binds, environment, undo });
      if (lent.target !== undefined) targets.push(lent.target);
      prepared.push(lent);
      continue;
    }
    targets.push(mount.target);
    prepared.push(await prepareOne(mount, step, binds, undo));
  }
  return {
    key: [prepared.map(({ key }) => key), script ?? null],
    async open() {
      for (const one of prepared) await one.open();
      if (script === undefined) return;
      const path = join(build.folder, `script-${build.nextNumber()}`);
      await writeFile(path, script.content, { mode: 0o755 });
      binds.push({ Type: 'bind', Source: path, Target: script.path, ReadOnly: true });
    },
    environment,
    get hostConfig() {
      return binds.length === 0 ? {} : { Mounts: binds };
    },
    async stubs(containerId) {
      if (targets.length === 0) return async () => {};
      const { files, images } = build.builder;
      const root = await images.openRootFilesystem(containerId);
      const missing = await files.missing(await root.mount(), targets);
      if (missing.length === 0) return async () => {};
      return async () => files.removeEmpty(await root.mount(), missing);
    },
    async close() {
      for (const failure of await undo.runAll())
        build.builder.log.warn('a mount of a build step could not be undone', { error: String(failure) });
    },
  };

  function expandMount(mount: RunMount, { build: { dockerfile } }: Step): ExpandedMount {
    const expand = (word: string) => expandWord(word, variablesOf(state), dockerfile.escape);
    return {
      ...mount,
      wantsTarget: mount.target !== undefined,
      target: posix.resolve('/', state.config.WorkingDir ?? '/', expand(mount.target ?? '')),
      source: expand(mount.source),
      from: mount.from === undefined ? undefined : expand(mount.from),
      id: mount.id === undefined ? undefined : expand(mount.id),
    };
  }
}

async function prepareOne(
  mount: ExpandedMount,
  step: Step,
  binds: object[],
  undo: CleanupStack,
): Promise<{ readonly key: unknown; open(): Promise<void> }> {
  const { build } = step;
  const { type, target, source, from, readOnly } = mount;
  const bind = (path: string) => binds.push({ Type: 'bind', Source: path, Target: target, ReadOnly: readOnly });
  if (type === 'tmpfs') {
    const options = mount.sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.sizeBytes } };
    return {
      key: [type, target, mount.sizeBytes ?? null],
      open: async () => void binds.push({ Type: 'tmpfs', Target: target, ...options }),
    };
  }
  if (type === 'cache') {
    const id = mount.id ?? target;
    return {
      key: [type, target, id],
      async open() {
        const { mode, uid, gid, sharing } = mount;
        const held = await build.builder.cacheMounts.acquire({ id, sharing, mode, uid, gid }, step.signal);
        undo.push(held.release);
        if (held.isNew && from !== undefined) await build.seed(from, source, held.path, step);
        bind(held.path);
      },
    };
  }
  const named = from === undefined ? undefined : build.trees.named(from);
  if (from !== undefined && named?.kind !== 'tree') {
    const image = await build.sourceImage(from, step);
    return {
      key: [type, target, image ?? 'scratch', source, readOnly],
      async open() {
        const root = await build.openRootFilesystem(image);
        undo.push(root.close);
        const place = await build.builder.files.resolve(root.path, source);
        if (place.type === undefined) throw invalidParameter(`RUN --mount: "${source}" does not exist in "${from}"`);
        bind(place.path);
      },
    };
  }
  const wanted = [source === '' ? '.' : source];
  const tree = named?.kind === 'tree' ? await named.tree() : await build.trees.own(wanted);
  if (tree === undefined) throw invalidParameter('RUN --mount: this build has no context to take files from');
  const request = {
    instruction: 'COPY',
    sources: wanted,
    excludes: [],
    parents: false,
    fromContext: true,
  } as const;
  const sources = await findSources(tree, request);
  return {
    key: [type, target, await digestOf(sources), readOnly],
    async open() {
      const [first] = sources;
      const folder = await build.unpackContext(first!);
      bind(first!.isDirectory ? folder : join(folder, 'file'));
    },
  };
}
