import type { NamedEndpoint, NameTable } from './name-table';
import { buildReply, type DnsQuery, dnsCode, dnsType, encodeName, isInternet } from './wire';

/** A network a sandbox is on, as its resolver sees it. */
export interface ResolverNetwork {
  readonly networkId: string;
  readonly networkName: string;
  /** Link alias (lower case) → container name (lower case). */
  readonly links: ReadonlyMap<string, string>;
}

/** What a sandbox's resolver works with; replaced as a whole when the sandbox changes. */
export interface ResolverView {
  /** In the order they are searched. */
  readonly networks: readonly ResolverNetwork[];
  /** Whether names nobody here has may be asked elsewhere; not on internal networks. */
  readonly mayForward: boolean;
  /** The user set `ndots`: names without a dot are answered empty, so that clients go on to their search list. */
  readonly ndotsSet: boolean;
}

const TTL_S = 600;
/** Largest message over TCP. */
export const TCP_SIZE = 65535;

/** The answer the engine itself can give; `forward` when the question is for the upstream servers. */
export function answerLocally(
  table: NameTable,
  view: ResolverView,
  message: Buffer,
  query: DnsQuery,
  maxSize: number,
): Buffer | 'forward' {
  const reply = (code: number, records: readonly Uint8Array[] = []) =>
    buildReply(message, query, code, records, TTL_S, maxSize);
  if (isInternet(query)) {
    if (query.type === dnsType.A || query.type === dnsType.AAAA || query.type === dnsType.MX) {
      const found = findName(table, view, query.name);
      if (found.length > 0) return reply(dnsCode.noError, addressesOf(found, query.type));
    } else if (query.type === dnsType.PTR) {
      const name = findReverse(table, view, query.name);
      if (name !== undefined) return reply(dnsCode.noError, [encodeName(name)]);
    }
  }
  if (!view.mayForward) return reply(dnsCode.serverFailure);
  const asksAddress = query.type === dnsType.A || query.type === dnsType.AAAA;
  if (asksAddress && view.ndotsSet && !query.name.includes('.')) return reply(dnsCode.noError);
  return 'forward';
}

function findName(table: NameTable, view: ResolverView, name: string): readonly NamedEndpoint[] {
  for (const { networkId, links } of view.networks) {
    const found = table.find(networkId, links.get(name) ?? name);
    if (found.length > 0) return found;
  }
  // `web.backend` means the container `web` on the network `backend`.
  const dot = name.lastIndexOf('.');
  if (dot < 0) return [];
  const [host, networkName] = [name.slice(0, dot), name.slice(dot + 1)];
  for (const { networkId, networkName: candidate, links } of view.networks)
    if (candidate.toLowerCase() === networkName) return table.find(networkId, links.get(host) ?? host);
  return [];
}

function findReverse(table: NameTable, view: ResolverView, name: string): string | undefined {
  for (const { networkId, networkName } of view.networks) {
    const container = table.findReverse(networkId, name)?.names[0];
    if (container !== undefined) return `${container}.${networkName}`;
  }
  return undefined;
}

/** The addresses of the family asked for, in random order, so that clients spread over them. */
function addressesOf(endpoints: readonly NamedEndpoint[], type: number): Uint8Array[] {
  const addresses: Uint8Array[] = [];
  for (const { ipv4, ipv6 } of endpoints) {
    const address = type === dnsType.A ? ipv4 : type === dnsType.AAAA ? ipv6 : undefined;
    if (address !== undefined) addresses.push(address);
  }
  for (let i = addresses.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [addresses[i], addresses[j]] = [addresses[j]!, addresses[i]!];
  }
  return addresses;
}
