import { invalidParameter } from '@gantry/sdk';
import { isAddress } from '../address/cidr';

const LOCAL_IPV4 = '127.0.0.1\tlocalhost';
const LOCAL_IPV6 = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

export interface HostsEntry {
  readonly address: string;
  readonly names: string;
}

/** `/etc/hosts` of a container: the local names, the user's, then the container's own addresses. */
export function hostsFile(extra: readonly HostsEntry[], own: readonly HostsEntry[]): string {
  const entries = [...extra, ...own].map(({ address, names }) => `${address}\t${names}`);
  return `${[LOCAL_IPV4, ...LOCAL_IPV6, ...entries].join('\n')}\n`;
}

/**
 * `--add-host host:ip` entries; `host-gateway` stands for the given addresses.
 * @throws invalid-parameter
 */
export function extraHosts(entries: readonly string[], hostGateways: readonly string[]): HostsEntry[] {
  return entries.flatMap((entry) => {
    const split = entry.indexOf(':');
    const name = split < 0 ? '' : entry.slice(0, split);
    const address = entry.slice(split + 1).replace(/^\[(.*)\]$/, '$1');
    if (name === '') throw invalidParameter(`bad format for add-host: "${entry}"`);
    if (address === 'host-gateway') {
      if (hostGateways.length === 0) throw invalidParameter('unable to derive the IP value for host-gateway');
      return hostGateways.map((gateway) => ({ address: gateway, names: name }));
    }
    if (!isAddress(address)) throw invalidParameter(`invalid IP address in add-host: "${address}"`);
    return [{ address, names: name }];
  });
}

/** The names a container has for its own addresses. */
export function ownNames(hostname: string, domainname: string): string {
  if (domainname !== '') return `${hostname}.${domainname} ${hostname}`;
  const [first = ''] = hostname.split('.', 1);
  return first === hostname || first === '' ? hostname : `${hostname} ${first}`;
}
