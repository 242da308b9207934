import { mkdir, open } from 'node:fs/promises';
import type { ClientHttp2Session } from 'node:http2';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { invalidParameter, notImplemented, systemError } from '@gantry/sdk';
import type { ContextTrees, NamedContext } from '../context/context-trees';
import { isGitUrl } from '../context/git-checkout';
import { IgnorePatterns } from '../context/ignore-patterns';
import { openRemoteTree } from '../context/open-context';
import type { SourceTree } from '../context/source-tree';
import { forFs, toBytes } from '../copy/byte-path';
import { readDirectives } from '../dockerfile/directives';
import { parseDockerfile } from '../dockerfile/parse-dockerfile';
import type { Builder } from '../engine/builder';
import type { BuildInput } from '../engine/run-build';
import type { BuildPlan } from '../engine/stage-plan';
import { violation } from '../lint/lint-dockerfile';
import { noSession } from '../session/client-sessions';
import { fetchFiles } from '../session/file-sync';
import { fetchUpload, uploadPrefix } from '../session/upload';
import { findingsOf } from './dockerfile-checks';
import { assertBuiltIn, contextName, type FrontendOptions } from './frontend-options';
import type { VertexProgress } from './vertex-progress';

/** The files of a build whose client sends them over its session, each when it is wanted. */
export class ClientContext implements ContextTrees {
  private readonly namedContexts = new Map<string, NamedContext>();
  private excludes: readonly string[] = [];
  /** What the plan wants of the context; undefined = everything. */
  private wanted: ReadonlySet<string> | undefined;
  private partial: Promise<SourceTree> | undefined;
  private whole: Promise<SourceTree> | undefined;
  private folders = 0;
  /** Digest of the step that loads the Dockerfile. */
  private definition = '';

  constructor(
    private readonly builder: Builder,
    private readonly session: ClientHttp2Session | undefined,
    private readonly options: FrontendOptions,
    private readonly progress: VertexProgress,
    private readonly folder: string,
    private readonly signal: AbortSignal,
  ) {
    for (const [name, value] of options.contexts) this.namedContexts.set(name, this.parseNamed(name, value));
  }

  get names(): number {
    return this.namedContexts.size;
  }

  named(name: string): NamedContext | undefined {
    return this.namedContexts.get(contextName(name));
  }

  own(paths: readonly string[]): Promise<SourceTree> {
    if (this.whole !== undefined) return this.whole;
    const { wanted } = this;
    if (wanted !== undefined && paths.every((path) => wanted.has(cleanPath(path)))) {
      this.partial ??= this.fetchContext([...wanted]);
      return this.partial;
    }
    this.whole = this.fetchContext(undefined);
    return this.whole;
  }

  /** Finds the Dockerfile. @throws system  it is not there */
  async load(): Promise<BuildInput> {
    const input = await this.loadDockerfile();
    return {
      ...input,
      load: async (plan) => {
        await this.check(input, plan);
        await input.load?.(plan);
      },
    };
  }

  /** Tells what is not wise in the Dockerfile. @throws invalid-parameter  the author wants it to fail the build */
  private async check({ dockerfile: text, dockerfileName: file }: BuildInput, plan: BuildPlan): Promise<void> {
    const { request } = this.options;
    const stages = plan.stages.map(({ index }) => index);
    const { findings, fails } = await findingsOf(parseDockerfile(text, file), text, request, stages, this.builder);
    this.progress.findings(findings, this.definition, { file, text });
    if (fails && findings.length > 0) throw invalidParameter(violation(findings));
  }

  private async loadDockerfile(): Promise<BuildInput> {
    const { options } = this;
    const dockerfileName = options.request.dockerfile;
    if (options.remote !== '' && !options.hasOwnDockerfile) return this.loadRemote(dockerfileName);
    const vertex = this.progress.open(`[internal] load build definition from ${dockerfileName}`);
    this.definition = vertex.digest;
    try {
      const wanted = [dockerfileName, `${dockerfileName}.dockerignore`];
      const fallback = posix.join(posix.dirname(dockerfileName), 'dockerfile');
      if (posix.basename(dockerfileName) === 'Dockerfile') wanted.push(fallback);
      const tree = await this.fetch(options.dockerfileDirectory, 'dockerfile', wanted, [], vertex);
      const text =
        (await readText(tree, dockerfileName)) ??
        (wanted.includes(fallback) ? await readText(tree, fallback) : undefined);
      if (text === undefined)
        throw systemError(`failed to read dockerfile: open ${dockerfileName}: no such file or directory`);
      const ignore = await readText(tree, `${dockerfileName}.dockerignore`);
      vertex.end();
      if (options.remote !== '') this.whole = this.remoteTree(options.remote, dockerfileName);
      return {
        ...checked(text, dockerfileName),
        trees: this,
        load: (plan) => this.prepare(plan, ignore),
      };
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }

  private async loadRemote(path: string): Promise<BuildInput> {
    const tree = await this.remoteTree(this.options.remote, path);
    this.definition = this.progress.open(this.remoteName(this.options.remote)).digest;
    const text =
      (await readText(tree, path)) ?? (path === 'Dockerfile' ? await readText(tree, 'dockerfile') : undefined);
    if (text === undefined) throw systemError(`failed to read dockerfile: open ${path}: no such file or directory`);
    this.whole = Promise.resolve(tree);
    return { ...checked(text, path), trees: this };
  }

  private remoteName(remote: string): string {
    const isGit = !remote.startsWith(uploadPrefix) && isGitUrl(remote);
    return isGit ? `[internal] load git source ${remote}` : '[internal] load remote build context';
  }

  private client(): ClientHttp2Session {
    if (this.session === undefined) throw noSession();
    return this.session;
  }

  private async remoteTree(remote: string, dockerfile: string): Promise<SourceTree> {
    const isUpload = remote.startsWith(uploadPrefix);
    const vertex = this.progress.open(this.remoteName(remote));
    vertex.begin();
    try {
      const folder = await this.newFolder();
      const body =
        this.options.upload ?? (isUpload ? fetchUpload(this.client(), remote, this.signal) : Readable.from([]));
      const request = { remote: isUpload ? '' : remote, dockerfile, body };
      const tree = await openRemoteTree(request, folder, this.builder.files, this.signal);
      vertex.end();
      return tree;
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }

  /** Before the first step: the ignore file, and the context on its way. */
  private async prepare(plan: BuildPlan, ownIgnore: string | undefined): Promise<void> {
    if (this.whole !== undefined) return;
    const ignore = ownIgnore ?? (await this.loadIgnoreFile(this.options.contextDirectory, 'context'));
    this.excludes = linesOf(ignore);
    const wanted = wantedPaths(plan, (name) => this.named(name) !== undefined);
    if (wanted === 'everything') return void this.own(['']).catch(() => {});
    this.wanted = wanted;
    if (wanted.size > 0) this.own([]).catch(() => {});
  }

  private async loadIgnoreFile(directory: string, label: string): Promise<string> {
    const vertex = this.progress.open(
      label === 'context' ? '[internal] load .dockerignore' : `[context ${label}] load .dockerignore`,
    );
    try {
      const tree = await this.fetch(directory, label, ['.dockerignore'], [], vertex);
      const text = await readText(tree, '.dockerignore');
      vertex.end();
      return text ?? '';
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }

  private async fetchContext(paths: readonly string[] | undefined): Promise<SourceTree> {
    const vertex = this.progress.open('[internal] load build context', `context ${this.folders}`);
    try {
      const tree = await this.fetch(this.options.contextDirectory, 'context', paths, this.excludes, vertex);
      vertex.end();
      return tree;
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }

  private async fetch(
    directory: string,
    label: string,
    paths: readonly string[] | undefined,
    excludes: readonly string[],
    vertex: ReturnType<VertexProgress['open']>,
  ) {
    const task = vertex.task(`transferring ${label}:`);
    const folder = await this.newFolder();
    const tree = await fetchFiles(
      this.client(),
      { directory, paths, excludes },
      folder,
      (total) => task.at(total),
      this.signal,
    );
    task.done();
    // Clients need not know every pattern.
    const ignored = IgnorePatterns.of(excludes);
    if (!ignored.isEmpty) await tree.remove((path) => ignored.excludes(path));
    return tree;
  }

  private async newFolder(): Promise<string> {
    const path = join(this.folder, `client-${this.folders++}`);
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  private parseNamed(name: string, value: string): NamedContext {
    if (value.startsWith('docker-image://')) return { kind: 'image', reference: value.slice('docker-image://'.length) };
    let tree: Promise<SourceTree> | undefined;
    if (value.startsWith('local:'))
      return {
        kind: 'tree',
        tree: () => {
          tree ??= this.fetchNamed(name, value.slice('local:'.length));
          return tree;
        },
      };
    if (/^https?:\/\//.test(value) || isGitUrl(value))
      return {
        kind: 'tree',
        tree: () => {
          tree ??= this.remoteTree(value, '');
          return tree;
        },
      };
    throw notImplemented(
      `the build context ${name}=${value} is not supported by this builder: use a directory, docker-image://, an http or a git address`,
    );
  }

  private async fetchNamed(name: string, directory: string): Promise<SourceTree> {
    const excludes = linesOf(await this.loadIgnoreFile(directory, name));
    const vertex = this.progress.open(`[context ${name}] load from client`);
    try {
      const tree = await this.fetch(directory, name, undefined, excludes, vertex);
      vertex.end();
      return tree;
    } catch (error) {
      vertex.end(error);
      throw error;
    }
  }
}

const cleanPath = (path: string): string => posix.join('/', path).slice(1).replace(/\/$/, '');

const linesOf = (text: string): string[] =>
  text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => cleanPattern(line.trim()));

/** As Go's filepath.Clean leaves it, without a slash in front. */
function cleanPattern(line: string): string {
  const keep = line.startsWith('!');
  const pattern = posix.normalize(keep ? line.slice(1).trim() : line).replace(/^\/+(?=.)|\/+$/g, '');
  return keep ? `!${pattern}` : pattern;
}

/** What the stages of a plan take from the context, as far as the Dockerfile alone tells. */
function wantedPaths({ stages }: BuildPlan, isContext: (name: string) => boolean): ReadonlySet<string> | 'everything' {
  const paths = new Set<string>();
  const add = (path: string) => paths.add(path);
  for (const { instructions } of stages)
    for (const each of instructions) {
      if (each.kind === 'add' || (each.kind === 'copy' && each.from === undefined))
        for (const source of each.sources)
          if (each.kind !== 'add' || !(/^https?:\/\//.test(source) || isGitUrl(source))) add(source);
      if (each.kind === 'run')
        for (const mount of each.mounts)
          if (mount.type === 'bind' && mount.from === undefined && !isContext(mount.from ?? '')) add(mount.source);
    }
  const cleaned = [...paths].map((path) => [path, cleanPath(path)] as const);
  // What a variable stands for is known later.
  if (cleaned.some(([path, clean]) => clean === '' || path.includes('$'))) return 'everything';
  return new Set(cleaned.map(([, clean]) => clean));
}

/** @throws invalid-parameter  nothing is in it. @throws not-implemented  it is in a language of its own */
function checked(text: string, name: string): { dockerfile: string; dockerfileName: string } {
  if (text.trim() === '') throw invalidParameter('the Dockerfile cannot be empty');
  const { syntax } = readDirectives(text.replace(/^\ufeff/, '').split(/\r?\n/), name);
  if (syntax !== undefined) assertBuiltIn(syntax);
  return { dockerfile: text, dockerfileName: name };
}

async function readText(tree: SourceTree, path: string): Promise<string | undefined> {
  const entry = tree.find(toBytes(cleanPath(path)));
  if (entry?.type !== 'file') return undefined;
  if (entry.content === undefined || entry.size === 0) return '';
  const file = await open(forFs(entry.content.path), 'r');
  try {
    const bytes = Buffer.alloc(entry.size);
    await file.read(bytes, 0, entry.size, entry.content.offset);
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}
