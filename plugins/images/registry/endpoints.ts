import { BlockList, isIP } from 'node:net';
import { type DaemonSettings, invalidParameter } from '@gantry/sdk';
import { defaultDomain } from '../reference/reference';

type RegistrySettings = Pick<DaemonSettings, 'insecureRegistries' | 'registryMirrors' | 'registryMirrorPrefixes'>;

/** One way to reach a registry. */
export interface Endpoint {
  readonly base: URL;
  /** False accepts any certificate. */
  readonly verify: boolean;
  /** Any failure here leads to the next endpoint, not only a failure to connect. */
  readonly isMirror: boolean;
}

const loopbackRanges = ['::1/128', '127.0.0.0/8'];

/**
 * The ways to a repository in the order they are tried.
 *
 * @param path of the repository; empty = the registry as a whole, which mirrors do not stand for
 * @param forPush mirrors are for reading only
 * @throws invalid-parameter  the domain cannot be part of a URL
 */
export function endpointsFor(domain: string, path: string, settings: RegistrySettings, forPush: boolean): Endpoint[] {
  if (path === '' || forPush) return registryEndpoints(domain, settings);
  const own = mirrorsOf(`${domain}/${path}`, settings.registryMirrorPrefixes);
  const mirrors = domain === defaultDomain ? [...own, ...settings.registryMirrors] : own;
  return [
    ...mirrors.map((mirror) => {
      const base = new URL(mirror);
      return { base, verify: !isInsecure(base.host, settings), isMirror: true };
    }),
    ...registryEndpoints(domain, settings),
  ];
}

/** Those of the longest beginning that ends where a part of the name ends. */
function mirrorsOf(name: string, table: Readonly<Record<string, readonly string[]>>): readonly string[] {
  let best: string | undefined;
  for (const prefix of Object.keys(table))
    if ((name === prefix || name.startsWith(`${prefix}/`)) && prefix.length > (best?.length ?? 0)) best = prefix;
  return best === undefined ? [] : table[best]!;
}

function registryEndpoints(domain: string, settings: RegistrySettings): Endpoint[] {
  if (domain === defaultDomain)
    return [{ base: new URL('https://registry-1.docker.io'), verify: true, isMirror: false }];
  if (!URL.canParse(`https://${domain}`)) throw invalidParameter(`invalid registry address: "${domain}"`);
  if (!isInsecure(domain, settings)) return [{ base: new URL(`https://${domain}`), verify: true, isMirror: false }];
  return [
    { base: new URL(`https://${domain}`), verify: false, isMirror: false },
    { base: new URL(`http://${domain}`), verify: false, isMirror: false },
  ];
}

/** Loopback addresses, and what `insecure-registries` names: hosts with or without port, or ranges of addresses. */
export function isInsecure(domain: string, settings: RegistrySettings): boolean {
  const host = domain.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const { insecureRegistries } = settings;
  if (insecureRegistries.includes(domain) || insecureRegistries.includes(host) || host === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  const ranges = new BlockList();
  for (const range of [...loopbackRanges, ...insecureRegistries]) {
    const [network = '', length] = range.split('/');
    const kind = isIP(network);
    if (kind !== 0 && length !== undefined && /^\d+$/.test(length))
      ranges.addSubnet(network, Number(length), kind === 6 ? 'ipv6' : 'ipv4');
  }
  return ranges.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** `RegistryConfig` of GET /info. */
export function registryInfo(settings: Pick<DaemonSettings, 'insecureRegistries' | 'registryMirrors'>) {
  const mirrors = settings.registryMirrors.map((mirror) => (mirror.endsWith('/') ? mirror : `${mirror}/`));
  const ranges = [...loopbackRanges, ...settings.insecureRegistries.filter((item) => item.includes('/'))];
  const hosts = settings.insecureRegistries.filter((item) => !item.includes('/'));
  const insecure = hosts.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }] as const);
  return {
    IndexConfigs: {
      'docker.io': { Name: 'docker.io', Mirrors: mirrors, Secure: true, Official: true },
      ...Object.fromEntries(insecure),
    },
    InsecureRegistryCIDRs: [...new Set(ranges)],
    Mirrors: mirrors.length > 0 ? mirrors : null,
  };
}
