import { type ApiRoute, type ApiVersion, apiVersionAtLeast, type Logger } from '@gantry/sdk';
import { isLiteral, matchPattern, type PathPattern, parsePattern } from './path-pattern';

export interface RouteMatch {
  readonly route: ApiRoute;
  readonly params: Readonly<Record<string, string>>;
}

interface CompiledRoute {
  readonly route: ApiRoute;
  readonly pattern: PathPattern;
}

/**
 * All routes, compiled once per change of the set. Paths without parameters are one map look-up; the others are
 * grouped by method and first segment, the most literal pattern first.
 */
export class RouteTable {
  private readonly literal = new Map<string, ApiRoute>();
  private readonly byFirstSegment = new Map<string, CompiledRoute[]>();
  private readonly firstGreedy = new Map<string, CompiledRoute[]>();

  /** Of two routes with the same method and pattern the first one is kept and the other is reported. */
  constructor(routes: readonly ApiRoute[], log: Logger) {
    const seen = new Set<string>();
    for (const route of routes) {
      const shape = `${route.method} ${route.path.replace(/\{[^}.]*(\.\.\.)?\}/g, '{$1}')}`;
      if (seen.has(shape)) {
        log.error('two plugins contribute the same route; the first one is used', {
          method: route.method,
          path: route.path,
        });
        continue;
      }
      seen.add(shape);
      this.add(route);
    }
    const mostLiteralFirst = (a: CompiledRoute, b: CompiledRoute) =>
      b.pattern.literalCount - a.pattern.literalCount || a.pattern.greedyAt - b.pattern.greedyAt;
    for (const bucket of [...this.byFirstSegment.values(), ...this.firstGreedy.values()]) bucket.sort(mostLiteralFirst);
  }

  /** @param path decoded, without version prefix */
  match(method: string, path: string): RouteMatch | undefined {
    const literal = this.literal.get(`${method} ${path}`);
    if (literal !== undefined) return { route: literal, params: noParams };
    const parts = path.slice(1).split('/');
    const bucket = this.byFirstSegment.get(`${method} ${parts[0]}`) ?? this.firstGreedy.get(method);
    if (bucket === undefined) return undefined;
    for (const candidate of bucket) {
      const params = matchPattern(candidate.pattern, parts);
      if (params !== undefined) return { route: candidate.route, params };
    }
    return undefined;
  }

  private add(route: ApiRoute): void {
    const pattern = parsePattern(route.path);
    if (isLiteral(pattern)) {
      this.literal.set(`${route.method} ${route.path}`, route);
      return;
    }
    const first = pattern.segments[0]!;
    const [buckets, key] =
      first.kind === 'literal'
        ? [this.byFirstSegment, `${route.method} ${first.text}`]
        : [this.firstGreedy, route.method as string];
    const bucket = buckets.get(key);
    if (bucket === undefined) buckets.set(key, [{ route, pattern }]);
    else bucket.push({ route, pattern });
  }
}

/** Whether a client of this version may see the route. */
export function isServedTo(route: ApiRoute, version: ApiVersion): boolean {
  return route.since === undefined || apiVersionAtLeast(version, route.since);
}

const noParams: Readonly<Record<string, string>> = Object.freeze({});
