import { arrayOf, boolean, integer, object, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { cidr, ipAddress, orNone, parsed, stringMaps } from '../value-schemas';

/** "none" is a name here, not an address: no default bridge at all. */
const pairs = (text: string) => Object.fromEntries(text.split(',').map((part) => part.split('=', 2)));

const isMark = (parts: number) => (text: string) =>
  parts <= 2 && /^(0[xX][0-9a-fA-F]{1,8}|\d{1,10})$/.test(text) && Number(text) <= 0xffffffff;

/** `bridge=com.docker.network.driver.mtu=1450`, once for each option. */
function readDriverOptions(texts: readonly string[]): Record<string, Record<string, string>> {
  const drivers: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [, driver, option, value] = /^([^=]+)=([^=]+)=(.*)$/.exec(text) ?? [];
    if (driver === undefined || option === undefined || value === undefined)
      throw new Error(`"${text}" is not of the form driver=option=value`);
    drivers[driver] = { ...drivers[driver], [option]: value };
  }
  return drivers;
}

/** The default bridge, published ports and name resolution. */
export const networkingKeys = {
  bridge: key({
    schema: string({ pattern: /^$|^[^\s/]{1,15}$/ }),
    fallback: '',
    fallbackText: 'docker0',
    flag: flagOf.string('bridge', 'b'),
    reload: 'restart',
    example: 'bridge0',
    about: 'Name of the default bridge, made when it does not exist; none for no default bridge',
  }),
  bip: key<string | undefined>({
    schema: orNone(cidr(4)),
    fallback: undefined,
    flag: flagOf.string('bip'),
    reload: 'restart',
    example: '172.20.0.1/16',
    about: 'IPv4 address of the default bridge with prefix length',
  }),
  bip6: key<string | undefined>({
    schema: orNone(cidr(6)),
    fallback: undefined,
    flag: flagOf.string('bip6'),
    reload: 'restart',
    example: 'fd00:20::1/64',
    about: 'IPv6 address of the default bridge with prefix length',
  }),
  ipv6: key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('ipv6'),
    reload: 'restart',
    example: true,
    about: 'IPv6 on the default bridge',
  }),
  'fixed-cidr': key<string | undefined>({
    schema: orNone(cidr(4)),
    fallback: undefined,
    flag: flagOf.string('fixed-cidr'),
    reload: 'restart',
    example: '172.20.8.0/24',
    about: 'Range of IPv4 addresses for containers on the default bridge',
  }),
  'default-gateway': key<string | undefined>({
    schema: orNone(ipAddress(4)),
    fallback: undefined,
    flag: flagOf.string('default-gateway', undefined, 'ip'),
    reload: 'restart',
    example: '172.20.0.254',
    about: 'IPv4 gateway of containers on the default bridge',
  }),
  'fixed-cidr-v6': key<string | undefined>({
    schema: orNone(cidr(6)),
    fallback: undefined,
    flag: flagOf.string('fixed-cidr-v6'),
    reload: 'restart',
    example: 'fd00:20::/64',
    about: 'IPv6 subnet of the default bridge, or with bip6 the range of its containers',
  }),
  'default-gateway-v6': key<string | undefined>({
    schema: orNone(ipAddress(6)),
    fallback: undefined,
    flag: flagOf.string('default-gateway-v6', undefined, 'ip'),
    reload: 'restart',
    example: 'fd00:20::ffff',
    about: 'IPv6 gateway of containers on the default bridge',
  }),
  icc: key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('icc'),
    reload: 'restart',
    example: false,
    about: 'Let containers on the default bridge reach each other',
  }),
  'ip-masq': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('ip-masq'),
    reload: 'restart',
    example: false,
    about: 'Masquerade traffic that leaves the default bridge',
  }),
  'ip-forward': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('ip-forward'),
    reload: 'restart',
    example: false,
    about: 'Enable IPv4 forwarding in the kernel',
  }),
  'ip-forward-no-drop': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('ip-forward-no-drop'),
    reload: 'restart',
    example: true,
    about: 'Leave the policy of the FORWARD chain alone when forwarding is enabled, as is always done here',
  }),
  iptables: key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('iptables'),
    reload: 'restart',
    example: false,
    about: 'Manage packet filter rules for IPv4',
  }),
  ip6tables: key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('ip6tables'),
    reload: 'restart',
    example: false,
    about: 'Manage packet filter rules for IPv6',
  }),
  'firewall-backend': key<'' | 'nftables' | 'iptables'>({
    schema: parsed('"nftables", "iptables" or an empty string', (text) => {
      if (text === '' || text === 'nftables' || text === 'iptables') return text;
      throw new Error(`"${text}" is no firewall backend; "nftables" and "iptables" are`);
    }),
    fallback: '',
    fallbackText: 'nftables, or iptables where the program nft is missing',
    flag: flagOf.string('firewall-backend'),
    reload: 'restart',
    example: 'iptables',
    about: 'What packet filter rules are written with (nftables, iptables)',
  }),
  'allow-direct-routing': key({
    schema: boolean(),
    fallback: false,
    flag: flagOf.switch('allow-direct-routing'),
    reload: 'restart',
    example: true,
    about: 'Let other hosts reach published ports by routing to the addresses of containers',
  }),
  'bridge-accept-fwmark': key({
    schema: parsed('a mark such as "1" or "0x1/0x3"', (text) => {
      if (text === '' || text.split('/').every(isMark(text.split('/').length))) return text;
      throw new Error(`invalid firewall mark/mask '${text}'`);
    }),
    fallback: '',
    flag: flagOf.string('bridge-accept-fwmark'),
    reload: 'restart',
    example: '0x1/0x3',
    about: 'Let packets with this firewall mark/mask reach containers of bridge networks',
  }),
  ip: key({
    schema: ipAddress(),
    fallback: '0.0.0.0',
    flag: flagOf.string('ip', undefined, 'ip'),
    reload: 'restart',
    example: '127.0.0.1',
    about: 'Host address of published ports that name none',
  }),
  'userland-proxy': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('userland-proxy'),
    reload: 'restart',
    example: false,
    about: 'Serve published ports in user space where packet filter rules cannot',
  }),
  mtu: key({
    schema: integer({ min: 0, max: 65535 }),
    fallback: 0,
    flag: flagOf.integer('mtu'),
    reload: 'restart',
    example: 1450,
    about: 'MTU of the default bridge in bytes; 0 lets the driver choose',
  }),
  'default-address-pools': key<readonly { readonly base: string; readonly size: number }[]>({
    schema: arrayOf(object({ base: cidr(), size: integer({ min: 1, max: 128 }) })),
    fallback: [],
    flag: {
      name: 'default-address-pool',
      example: ['base=10.10.0.0/16,size=24'],
      takes: 'many',
      placeholder: 'base=cidr,size=bits',
      toJson: (texts) =>
        texts.map((text) => {
          const pool = pairs(text);
          return 'size' in pool ? { ...pool, size: Number(pool.size) } : pool;
        }),
    },
    reload: 'restart',
    example: [{ base: '10.10.0.0/16', size: 24 }],
    about: 'Pools that new networks take their subnets from',
  }),
  'default-network-opts': key<Readonly<Record<string, Readonly<Record<string, string>>>>>({
    schema: stringMaps(),
    fallback: {},
    flag: {
      name: 'default-network-opt',
      example: ['bridge=com.docker.network.driver.mtu=1450'],
      takes: 'many',
      placeholder: 'driver=option=value',
      toJson: readDriverOptions,
    },
    reload: 'restart',
    example: { bridge: { 'com.docker.network.driver.mtu': '1450' } },
    about: 'Options that new networks of a driver have unless they say otherwise',
  }),
  dns: key<readonly string[]>({
    schema: arrayOf(ipAddress()),
    fallback: [],
    flag: flagOf.list('dns'),
    reload: 'live',
    example: ['192.0.2.53'],
    about: 'DNS servers of containers that name none',
  }),
  'dns-opts': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('dns-opt'),
    reload: 'live',
    example: ['ndots:1'],
    about: 'DNS options of containers that name none',
  }),
  'dns-search': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('dns-search'),
    reload: 'live',
    example: ['example.org'],
    about: 'DNS search domains of containers that name none',
  }),
  'host-gateway-ips': key<readonly string[]>({
    schema: arrayOf(ipAddress()),
    fallback: [],
    flag: flagOf.list('host-gateway-ip'),
    reload: 'live',
    example: ['192.0.2.1'],
    about: 'Addresses that host-gateway in --add-host stands for',
  }),
};
