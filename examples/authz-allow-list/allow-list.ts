import type { AuthorizationPlugin, AuthorizationRequest, Verdict } from '@gantry/sdk';

/** What may be done. Everything else is refused. */
export interface AllowList {
  /** `GET /containers/*`: a method or `*`, and a path without version prefix; `*` stands for any text. */
  readonly allow: readonly string[];
  /** Lets `POST /containers/create` ask for privileges, when it is allowed at all. */
  readonly privileged: boolean;
}

/** Refuses what is not on the list, and containers that ask for more power than others. */
export function openAllowList({ allow, privileged }: AllowList): AuthorizationPlugin {
  const rules = allow.map(parseRule);
  return {
    async request(request) {
      const path = plainPath(request.uri);
      if (path === undefined) return refuse(`the path of ${request.uri} cannot be read`);
      if (!rules.some((rule) => rule(request.method, path)))
        return refuse(`${request.method} ${path} is not on the list`);
      if (!privileged && request.method === 'POST' && path === '/containers/create') return judgeContainer(request);
      return { allow: true };
    },
    response: async () => ({ allow: true }),
  };
}

const refuse = (message: string): Verdict => ({ allow: false, message });

function parseRule(rule: string): (method: string, path: string) => boolean {
  const [verb, pattern] = rule.split(' ', 2) as [string, string];
  const literals = pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const matches = new RegExp(`^${literals.join('.*')}$`, 's');
  return (method, path) => (verb === '*' || verb === method) && matches.test(path);
}

/**
 * The path as the engine will read it: decoded once, without query and version. The engine never serves a path with
 * empty or dot segments, so one that has them is refused instead of being understood.
 */
function plainPath(uri: string): string | undefined {
  try {
    const path = decodeURIComponent(uri.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1)[0]!);
    if (!path.startsWith('/') || path.split('/').some((part, at) => at > 0 && ['', '.', '..'].includes(part)))
      return undefined;
    return path.replace(/^\/v[0-9.]+(?=\/)/, '');
  } catch {
    return undefined;
  }
}

/** Whoever looks into the body must be strict: what cannot be read is refused. */
function judgeContainer({ body }: AuthorizationRequest): Verdict {
  let asked: { HostConfig?: Record<string, unknown> | null };
  try {
    asked = JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return refuse('a container without a description that can be read');
  }
  const host = asked?.HostConfig ?? {};
  const isSet = (value: unknown) => (Array.isArray(value) ? value.length > 0 : Boolean(value));
  const powers = ['Privileged', 'CapAdd', 'Devices', 'Binds', 'SecurityOpt'].filter((key) => isSet(host[key]));
  for (const key of ['PidMode', 'IpcMode', 'UTSMode', 'UsernsMode', 'NetworkMode', 'CgroupnsMode'])
    if (host[key] === 'host' || String(host[key]).startsWith('container:')) powers.push(key);
  const mounts = Array.isArray(host.Mounts) ? host.Mounts : [];
  if (mounts.some((mount) => mount?.Type === 'bind' || mount?.VolumeOptions?.DriverConfig)) powers.push('Mounts');
  return powers.length === 0 ? { allow: true } : refuse(`containers may not ask for ${powers.join(', ')}`);
}
