import { invalidParameter } from '@gantry/sdk';

/** Where a request wants to go, read once so that authorization and routing see the same thing. */
export interface RequestTarget {
  /** Percent-decoded path, still with its version prefix. */
  readonly path: string;
  /** What follows the `?`, not decoded; empty when there is none. */
  readonly search: string;
  /** Set when the path has empty or dot segments: where dockerd would redirect to. */
  readonly redirectTo?: string;
}

/**
 * Reads the request line's target. The path is decoded as a whole before anything looks at it, so `%2f` is a slash
 * for everybody; `//`, `.` and `..` are never served but answered with a redirect to the clean path.
 *
 * @throws invalid-parameter  malformed percent-encoding or not a path
 */
export function parseTarget(url: string): RequestTarget {
  const target = url.charCodeAt(0) === 47 /* / */ ? url : originForm(url);
  const mark = target.indexOf('?');
  const rawPath = mark === -1 ? target : target.slice(0, mark);
  const search = mark === -1 ? '' : target.slice(mark + 1);
  const path = rawPath.includes('%') ? decodePath(rawPath) : rawPath;
  if (!path.includes('//') && !path.includes('/.')) return { path, search };
  const clean = cleanPath(path);
  if (clean === path) return { path, search };
  const encoded = clean.split('/').map(encodeURIComponent).join('/');
  return { path, search, redirectTo: search === '' ? encoded : `${encoded}?${search}` };
}

function decodePath(rawPath: string): string {
  try {
    return decodeURIComponent(rawPath);
  } catch {
    throw invalidParameter(`malformed percent-encoding in path: ${rawPath}`);
  }
}

/** `GET http://host/path` is legal in HTTP/1.1; a proxy-minded client sends it. */
function originForm(url: string): string {
  const match = /^https?:\/\/[^/?#]*([/?].*)?$/i.exec(url);
  if (match === null) throw invalidParameter(`malformed request target: ${url}`);
  const rest = match[1] ?? '/';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else kept.push(segment);
  }
  const trailing = path.endsWith('/') && kept.length > 0 ? '/' : '';
  return `/${kept.join('/')}${trailing}`;
}
