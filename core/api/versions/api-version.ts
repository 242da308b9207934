import { type ApiVersion, EngineError, invalidParameter } from '@gantry/sdk';

export const minimumApiVersion = '1.24';
export const currentApiVersion = '1.51';

/** From before errors were JSON: it is answered in plain text. */
export class TooOldClient extends EngineError {
  constructor(version: string) {
    super(
      'invalid-parameter',
      `client version ${version} is too old. Minimum supported API version is ${minimumApiVersion}, please upgrade your client to a newer version`,
    );
  }
}

/** A request path split at its version prefix. */
export interface VersionedPath {
  /** The prefix as sent, without the `v`; undefined when the path has none. */
  readonly version: string | undefined;
  readonly path: string;
}

/** `/v1.40/info` → version `1.40`, path `/info`. A prefix that is not digits and dots is part of the path. */
export function splitVersion(path: string): VersionedPath {
  // Every request passes here: look at two characters before starting the regular expression.
  if (path.charCodeAt(1) !== 118 /* v */ || !isDigitOrDot(path.charCodeAt(2))) return { version: undefined, path };
  const match = versionPrefix.exec(path);
  return match === null ? { version: undefined, path } : { version: match[1]!, path: match[2]! };
}

/**
 * The API version to serve a request with.
 *
 * @param requested  as split from the path; undefined = the current one
 * @throws invalid-parameter  outside the supported range, in dockerd's words
 */
export function negotiateVersion(requested: string | undefined): ApiVersion {
  if (requested === undefined) return currentApiVersion;
  const known = supportedVersions.get(requested);
  if (known !== undefined) return known;
  if (compareVersions(requested, minimumApiVersion) < 0) throw new TooOldClient(requested);
  if (compareVersions(requested, currentApiVersion) > 0)
    throw invalidParameter(
      `client version ${requested} is too new. Maximum supported API version is ${currentApiVersion}`,
    );
  return requested;
}

/** Compares part by part; a missing or malformed part counts as 0, so `1.40.0` equals `1.40`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (Number(left[i] ?? 0) || 0) - (Number(right[i] ?? 0) || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const versionPrefix = /^\/v([0-9.]+)(\/.*)$/s;

const supportedVersions = new Map<string, ApiVersion>();
for (let minor = 24; minor <= 51; minor++) supportedVersions.set(`1.${minor}`, `1.${minor}`);

function isDigitOrDot(code: number): boolean {
  return (code >= 48 && code <= 57) || code === 46;
}
