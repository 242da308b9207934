import { isAddress, parseAddress } from '../address/cidr';

/** A resolv.conf in parts. @see resolv.conf(5) */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Directives that are none of the above, kept as they were. */
  readonly other: readonly string[];
  readonly invalid: readonly string[];
}

export interface ResolvOverrides {
  readonly dns: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** A server the embedded resolver forwards to. */
export interface Upstream {
  readonly address: string;
  /** Asked from the host's network namespace, because it cannot be reached from the sandbox. */
  readonly fromHost: boolean;
}

export interface RenderedResolvConf {
  readonly text: string;
  readonly upstreams: readonly Upstream[];
}

export const EMBEDDED_RESOLVER = '127.0.0.11';
const PUBLIC_IPV4 = ['8.8.8.8', '8.8.4.4'];
const PUBLIC_IPV6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

export function parseResolvConf(text: string): ResolvConf {
  const conf = { nameservers: [] as string[], search: [] as string[], options: [] as string[] };
  const other: string[] = [];
  const invalid: string[] = [];
  for (const line of text.split('\n')) {
    const [directive, ...values] = line.trim().split(/\s+/);
    if (!directive || directive.startsWith('#') || directive.startsWith(';')) continue;
    if (directive === 'nameserver') {
      const server = values[0];
      if (server === undefined) continue;
      if (isAddress(server.split('%')[0]!)) conf.nameservers.push(server);
      else invalid.push(server);
    } else if (directive === 'search' || directive === 'domain') {
      if (values.length > 0) conf.search = values;
    } else if (directive === 'options') conf.options.push(...values);
    else other.push(line);
  }
  return { ...conf, other, invalid };
}

/** For containers on the host's network: the host's file with the user's overrides. */
export function hostResolvConf(host: ResolvConf, path: string, overrides: ResolvOverrides): RenderedResolvConf {
  return {
    text: render(merge(host, overrides), { path, overrides, ndotsFrom: ndotsOrigin(host, overrides) }),
    upstreams: [],
  };
}

/** For the default bridge, which has no embedded resolver: loopback servers of the host are of no use there. */
export function legacyResolvConf(
  host: ResolvConf,
  path: string,
  overrides: ResolvOverrides,
  ipv6: boolean,
): RenderedResolvConf {
  const merged = merge(host, overrides);
  let nameservers = merged.nameservers;
  let usedDefaults = false;
  if (overrides.dns.length === 0) {
    nameservers = nameservers.filter((server) => !isLoopback(server) && (ipv6 || !server.includes(':')));
    if (nameservers.length === 0) {
      nameservers = publicServers(ipv6);
      usedDefaults = true;
    }
  }
  const about = { path, overrides, transform: 'legacy', usedDefaults, ndotsFrom: ndotsOrigin(host, overrides) };
  return { text: render({ ...merged, nameservers }, about), upstreams: [] };
}

/** For user networks: the embedded resolver, which forwards to the servers that were named. */
export function embeddedResolvConf(
  host: ResolvConf,
  path: string,
  overrides: ResolvOverrides,
  ipv6: boolean,
): RenderedResolvConf {
  const merged = merge(host, overrides);
  const overridden = overrides.dns.length > 0;
  let upstreams: Upstream[] = merged.nameservers.map((address) => ({
    address,
    fromHost: !overridden && (isLoopback(address) || (address.includes(':') && !ipv6) || address.includes('%')),
  }));
  const usedDefaults = upstreams.length === 0;
  if (usedDefaults) upstreams = publicServers(ipv6).map((address) => ({ address, fromHost: false }));
  let options = merged.options.filter((option) => !option.startsWith('ndots:') || /^ndots:\d+$/.test(option));
  let ndotsFrom = ndotsOrigin(host, overrides);
  if (!options.some((option) => option.split(':')[0] === 'ndots')) {
    options = [...options, 'ndots:0'];
    ndotsFrom = 'internal';
  }
  const about = { path, overrides, transform: 'internal resolver', usedDefaults, upstreams, ndotsFrom };
  return { text: render({ ...merged, options, nameservers: [EMBEDDED_RESOLVER] }, about), upstreams };
}

function merge(host: ResolvConf, overrides: ResolvOverrides): ResolvConf {
  return {
    ...host,
    nameservers: overrides.dns.length > 0 ? overrides.dns : host.nameservers,
    search: overrides.search.length > 0 ? overrides.search.filter((domain) => domain !== '.') : host.search,
    options: overrides.options.length > 0 ? overrides.options : host.options,
  };
}

function render(
  conf: ResolvConf,
  about: {
    readonly path: string;
    readonly overrides: ResolvOverrides;
    readonly transform?: string;
    readonly usedDefaults?: boolean;
    readonly upstreams?: readonly Upstream[];
    readonly ndotsFrom?: string;
  },
): string {
  const lines = conf.nameservers.map((server) => `nameserver ${server}`);
  if (conf.search.length > 0) lines.push(`search ${conf.search.join(' ')}`);
  if (conf.options.length > 0) lines.push(`options ${conf.options.join(' ')}`);
  lines.push(...conf.other, '');
  lines.push(`# Based on host file: '${about.path}'${about.transform ? ` (${about.transform})` : ''}`);
  if (about.usedDefaults) lines.push('# Used default nameservers.');
  if (about.upstreams && about.upstreams.length > 0) {
    const servers = about.upstreams.map(({ address, fromHost }) => (fromHost ? `host(${address})` : address));
    lines.push(`# ExtServers: [${servers.join(' ')}]`);
  }
  if (conf.invalid.length > 0) lines.push(`# Invalid nameservers: [${conf.invalid.join(' ')}]`);
  const overridden = [
    about.overrides.dns.length > 0 ? 'nameservers' : '',
    about.overrides.search.length > 0 ? 'search' : '',
    about.overrides.options.length > 0 ? 'options' : '',
  ].filter(Boolean);
  lines.push(`# Overrides: [${overridden.join(' ')}]`);
  if (about.ndotsFrom) lines.push(`# Option ndots from: ${about.ndotsFrom}`);
  return `${lines.join('\n')}\n`;
}

function ndotsOrigin(host: ResolvConf, overrides: ResolvOverrides): string {
  const has = (options: readonly string[]) => options.some((option) => option.split(':')[0] === 'ndots');
  if (overrides.options.length > 0) return has(overrides.options) ? 'override' : '';
  return has(host.options) ? 'host' : '';
}

function publicServers(ipv6: boolean): string[] {
  return ipv6 ? [...PUBLIC_IPV4, ...PUBLIC_IPV6] : [...PUBLIC_IPV4];
}

function isLoopback(server: string): boolean {
  const { version, value } = parseAddress(server.split('%')[0]!);
  return version === 4 ? value >> 24n === 127n : value === 1n;
}
