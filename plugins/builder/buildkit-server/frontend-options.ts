import type { Readable } from 'node:stream';
import { invalidParameter, notImplemented } from '@gantry/sdk';
import type { BuildRequest } from '../engine/build-request';
import { buildkitDialect } from '../engine/dialect';

/** What a client asks of the Dockerfile frontend. */
export interface FrontendOptions {
  readonly request: BuildRequest;
  /** Asks something of the Dockerfile instead of building it, such as `frontend.lint`; empty = a build. */
  readonly subrequest: string;
  /** Address of the context; empty = a directory of the client. */
  readonly remote: string;
  /** The client's names for its directories. */
  readonly contextDirectory: string;
  readonly dockerfileDirectory: string;
  /** The Dockerfile is a file of the client, wherever the context is. */
  readonly hasOwnDockerfile: boolean;
  /** Named contexts, as written: `docker-image://…`, `local:…`, an address. */
  readonly contexts: ReadonlyMap<string, string>;
  /** The context itself, when it came by another way than the session. */
  readonly upload?: Readable;
}

/** Frontends that are built in. */
const dockerfileFrontend = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/;

/**
 * Reads the attributes of a solve.
 *
 * @param session of the client
 * @throws invalid-parameter  a value that cannot be read
 * @throws not-implemented    another frontend, or something this builder does not do
 * @see BuildKit, frontend/dockerui
 */
export function frontendOptions(
  frontend: string,
  attributes: Readonly<Record<string, string>>,
  session: string,
  cacheFrom: readonly string[],
): FrontendOptions {
  if (frontend === 'gateway.v0') assertBuiltIn(attributes.source ?? '');
  else if (frontend !== 'dockerfile.v0')
    throw notImplemented(`frontend ${frontend} is not supported: this builder has dockerfile.v0`);
  const text = (name: string) => attributes[name] ?? '';
  const prefixed = (prefix: string) =>
    Object.entries(attributes)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value] as const);
  if (text('platform').includes(','))
    throw notImplemented('multiple platforms are not supported by this daemon: build one platform at a time');
  const buildArgs = Object.fromEntries(prefixed('build-arg:'));
  if (buildArgs.BUILDKIT_SYNTAX !== undefined) assertBuiltIn(buildArgs.BUILDKIT_SYNTAX);
  return {
    request: {
      dockerfile: text('filename') === '' ? 'Dockerfile' : text('filename'),
      remote: '',
      tags: [],
      buildArgs,
      labels: Object.fromEntries(prefixed('label:')),
      target: text('target'),
      platform: text('platform'),
      cacheFrom,
      noCache: attributes['no-cache'] === '',
      noCacheStages: text('no-cache').split(',').filter(Boolean),
      pull: text('image-resolve-mode') === 'pull',
      quiet: false,
      remove: true,
      forceRemove: true,
      squash: false,
      networkMode: networkMode(text('force-network-mode')),
      extraHosts: text('add-hosts')
        .split(',')
        .filter(Boolean)
        .map((host) => host.replace('=', ':')),
      resources: resourcesOf(text),
      session,
      dialect: buildkitDialect,
      registryConfig: {},
    },
    subrequest: text('requestid'),
    remote: text('context'),
    contextDirectory: text('contextkey') || 'context',
    dockerfileDirectory: text('dockerfilekey') || 'dockerfile',
    hasOwnDockerfile: text('dockerfilekey') !== '',
    contexts: new Map(prefixed('context:').map(([name, value]) => [contextName(name), value])),
  };
}

/** @throws not-implemented  a frontend that is an image cannot be run here */
export function assertBuiltIn(image: string): void {
  if (!dockerfileFrontend.test(image))
    throw notImplemented(
      `the frontend ${image} cannot be run by this builder, which has docker/dockerfile built in: take the syntax line out, or build with a buildx container driver`,
    );
}

/** As FROM and `--from` find it: without the registry, the namespace and the tag that every image has. */
export const contextName = (name: string): string =>
  name
    .replace(/::.*$/, '')
    .replace(/^docker\.io\//, '')
    .replace(/^library\//, '')
    .replace(/:latest$/, '')
    .toLowerCase();

function networkMode(mode: string): string {
  if (['', 'default', 'sandbox'].includes(mode)) return '';
  if (mode === 'none' || mode === 'host') return mode;
  throw invalidParameter(`invalid netmode ${mode}: use none, host or default`);
}

function resourcesOf(text: (name: string) => string): Record<string, unknown> {
  const resources: Record<string, unknown> = {};
  const shm = text('shm-size');
  if (shm !== '') {
    if (!/^\d{1,15}$/.test(shm)) throw invalidParameter(`could not parse shm-size: "${shm}" is not a number of bytes`);
    resources.ShmSize = Number(shm);
  }
  if (text('cgroup-parent') !== '') resources.CgroupParent = text('cgroup-parent');
  const ulimits = text('ulimit').split(',').filter(Boolean);
  if (ulimits.length > 0) resources.Ulimits = ulimits.map(parseUlimit);
  return resources;
}

/** `name=soft[:hard]`. */
function parseUlimit(text: string): { Name: string; Soft: number; Hard: number } {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw invalidParameter(`failed to parse ulimit: invalid ulimit argument: ${text}`);
  const [, name, soft, hard = soft] = match;
  return { Name: name!, Soft: Number(soft), Hard: Number(hard) };
}
