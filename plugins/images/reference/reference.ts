import { invalidParameter } from '@gantry/sdk';

/** A parsed, canonical image reference. */
export interface Reference {
  /** Registry host, with port when one is given: `docker.io`, `127.0.0.1:5000`. */
  readonly domain: string;
  /** Repository path inside the registry: `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

export const defaultDomain = 'docker.io';
const legacyDomain = 'index.docker.io';
const officialPrefix = 'library/';
const maximumNameLength = 255;

const pathComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const domainPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Parses `name`, `name:tag`, `name@digest` or `name:tag@digest` as a user types it.
 *
 * @throws invalid-parameter  in the words the docker CLI shows
 * @see Distribution's reference grammar
 */
export function parseReference(text: string): Reference {
  if (text === '') throw invalidReference();
  if (/^[a-f0-9]{64}$/.test(text))
    throw invalidParameter(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  let rest = text;
  let digest: string | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    digest = rest.slice(at + 1);
    rest = rest.slice(0, at);
    assertDigest(digest);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!tagPattern.test(tag)) throw invalidReference();
  }
  const { domain, path } = splitDomain(rest);
  if (path.toLowerCase() !== path)
    throw invalidParameter(`invalid reference format: repository name (${path}) must be lowercase`);
  if (!domainPattern.test(domain) || path === '' || !path.split('/').every((part) => pathComponent.test(part)))
    throw invalidReference();
  if (path.length > maximumNameLength)
    throw invalidParameter(`repository name must not be more than ${maximumNameLength} characters`);
  return { domain, path, tag, digest };
}

/** The reference with the tag `latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** `docker.io/library/busybox` */
export function canonicalName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `docker.io/library/busybox:latest` */
export function canonicalString(reference: Reference): string {
  return canonicalName(reference) + suffix(reference);
}

/** The name as users write it: `busybox`, `127.0.0.1:5000/app`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return canonicalName(reference);
  const short = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : undefined;
  return short !== undefined && !short.includes('/') ? short : reference.path;
}

/** `busybox:latest`, `busybox@sha256:…` */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** @throws invalid-parameter  `text` is not a tag */
export function assertTag(text: string): void {
  if (!tagPattern.test(text)) throw invalidParameter('invalid tag format');
}

export function isDigest(text: string): boolean {
  const colon = text.indexOf(':');
  return digestPattern.test(text) && digestLengths[text.slice(0, colon)] === text.length - colon - 1;
}

function assertDigest(text: string): void {
  if (!digestPattern.test(text)) throw invalidReference();
  const colon = text.indexOf(':');
  const expected = digestLengths[text.slice(0, colon)];
  if (expected === undefined) throw invalidParameter('unsupported digest algorithm');
  if (text.length - colon - 1 !== expected) throw invalidParameter('invalid checksum digest length');
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  // A first component is a host when it cannot be a repository path component.
  const isDomain = first !== '' && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = isDomain ? first : defaultDomain;
  let path = isDomain ? name.slice(slash + 1) : name;
  if (domain === legacyDomain) domain = defaultDomain;
  if (domain === defaultDomain && path !== '' && !path.includes('/')) path = officialPrefix + path;
  return { domain, path };
}

function suffix(reference: Reference): string {
  return (
    (reference.tag === undefined ? '' : `:${reference.tag}`) +
    (reference.digest === undefined ? '' : `@${reference.digest}`)
  );
}

const invalidReference = () => invalidParameter('invalid reference format');
