import type { AuthorizationPlugin, AuthorizationRequest, Verdict } from '@gantry/sdk';

/** What may be done. Everything else is refused. */
export interface AllowList {
  /** `GET /containers/*`: a method or `*`, and a path without version prefix; `*` stands for any text. */
  readonly allow: readonly string[];
  /** Lets `POST /containers/create` ask for privileges, when it is allowed at all. */
  readonly privileged: boolean;
  /**
   * Name of a label that says whose an object is: the common name of a certificate, or `uid:1000`. Nobody else gets at
   * an object that has it, not even root. It needs an engine that tells the context of a request.
   */
  readonly ownerLabel?: string;
}

/** Refuses what is not on the list, and containers that ask for more power than others. */
export function openAllowList({ allow, privileged, ownerLabel }: AllowList): AuthorizationPlugin {
  const rules = allow.map(parseRule);
  return {
    wantsContext: ownerLabel !== undefined,
    async request(request) {
      const path = plainPath(request.uri);
      if (path === undefined) return refuse(`the path of ${request.uri} cannot be read`);
      if (!rules.some((rule) => rule(request.method, path)))
        return refuse(`${request.method} ${path} is not on the list`);
      if (ownerLabel !== undefined) {
        const objection = foreign(request, ownerLabel);
        if (objection !== undefined) return refuse(objection);
      }
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

/** Why the caller may not touch the object, if it is somebody else's. */
function foreign({ context }: AuthorizationRequest, label: string): string | undefined {
  // An engine that tells nothing must not be taken for one that says "no object".
  if (context === undefined) return 'this engine does not tell whose objects are whose';
  const { peer, certificate, subject } = context;
  const owner = subject?.labels[label];
  if (owner === undefined) return undefined;
  const names = [...(certificate?.subject.CN ?? []), ...(peer === undefined ? [] : [`uid:${peer.uid}`])];
  return names.includes(owner) ? undefined : `${subject!.kind} ${subject!.name} belongs to ${owner}`;
}

/**
 * Whoever looks into the body must be strict: what cannot be read is refused. Engines take keys in any case, so they
 * are compared in one.
 */
function judgeContainer({ body }: AuthorizationRequest): Verdict {
  let asked: Fields;
  let host: Fields;
  try {
    asked = folded(JSON.parse(body?.toString('utf8') ?? ''));
    host = folded(asked.hostconfig ?? {});
  } catch {
    return refuse('a container without a description that can be read');
  }
  const isSet = (value: unknown) => (Array.isArray(value) ? value.length > 0 : Boolean(value));
  const powers = ['Privileged', 'CapAdd', 'Devices', 'Binds', 'SecurityOpt'].filter((key) =>
    isSet(host[key.toLowerCase()]),
  );
  for (const key of ['PidMode', 'IpcMode', 'UTSMode', 'UsernsMode', 'NetworkMode', 'CgroupnsMode']) {
    const mode = String(host[key.toLowerCase()]);
    if (mode === 'host' || mode.startsWith('container:')) powers.push(key);
  }
  if (!['undefined', 'null'].includes(String(host.mounts))) {
    const mounts = Array.isArray(host.mounts) ? host.mounts : [{}];
    if (mounts.some(isPowerful)) powers.push('Mounts');
  }
  return powers.length === 0 ? { allow: true } : refuse(`containers may not ask for ${powers.join(', ')}`);
}

type Fields = Readonly<Record<string, unknown>>;

/** An object by its keys in small letters. @throws  it is none, or two of its keys differ in case only */
function folded(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object');
  const entries = Object.entries(value).map(([key, member]) => [key.toUpperCase().toLowerCase(), member] as const);
  if (new Set(entries.map(([key]) => key)).size !== entries.length) throw new Error('a key is given twice');
  return Object.fromEntries(entries);
}

/** A path of the host, or a volume whose driver is told what to mount. */
function isPowerful(mount: unknown): boolean {
  try {
    const { type, volumeoptions } = folded(mount);
    return type === 'bind' || (volumeoptions ? Boolean(folded(volumeoptions).driverconfig) : false);
  } catch {
    return true;
  }
}
