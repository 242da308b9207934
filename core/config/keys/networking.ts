import { arrayOf, boolean, integer, object, string } from '@gantry/sdk';
import { flagOf, key } from '../key';
import { cidr, ipAddress } from '../value-schemas';

/** "none" is a name here, not an address: no default bridge at all. */
const pairs = (text: string) => Object.fromEntries(text.split(',').map((part) => part.split('=', 2)));

/** The default bridge, published ports and name resolution. */
export const networkingKeys = {
  bridge: key({
    schema: string({ pattern: /^$|^[^\s/]{1,15}$/ }),
    fallback: '',
    fallbackText: 'docker0',
    flag: flagOf.string('bridge', 'b'),
    reload: 'restart',
    about: 'Name of the default bridge, made when it does not exist; none for no default bridge',
  }),
  bip: key<string | undefined>({
    schema: cidr(4),
    fallback: undefined,
    flag: flagOf.string('bip'),
    reload: 'restart',
    about: 'IPv4 address of the default bridge with prefix length',
  }),
  'fixed-cidr': key<string | undefined>({
    schema: cidr(4),
    fallback: undefined,
    flag: flagOf.string('fixed-cidr'),
    reload: 'restart',
    about: 'Range of IPv4 addresses for containers on the default bridge',
  }),
  'default-gateway': key<string | undefined>({
    schema: ipAddress(4),
    fallback: undefined,
    flag: flagOf.string('default-gateway', undefined, 'ip'),
    reload: 'restart',
    about: 'IPv4 gateway of containers on the default bridge',
  }),
  icc: key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('icc'),
    reload: 'restart',
    about: 'Let containers on the default bridge reach each other',
  }),
  'ip-masq': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('ip-masq'),
    reload: 'restart',
    about: 'Masquerade traffic that leaves the default bridge',
  }),
  'ip-forward': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('ip-forward'),
    reload: 'restart',
    about: 'Enable IPv4 forwarding in the kernel',
  }),
  iptables: key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('iptables'),
    reload: 'restart',
    about: 'Manage packet filter rules',
  }),
  ip: key({
    schema: ipAddress(),
    fallback: '0.0.0.0',
    flag: flagOf.string('ip', undefined, 'ip'),
    reload: 'restart',
    about: 'Host address of published ports that name none',
  }),
  'userland-proxy': key({
    schema: boolean(),
    fallback: true,
    flag: flagOf.switch('userland-proxy'),
    reload: 'restart',
    about: 'Serve published ports in user space where packet filter rules cannot',
  }),
  mtu: key({
    schema: integer({ min: 0, max: 65535 }),
    fallback: 0,
    flag: flagOf.integer('mtu'),
    reload: 'restart',
    about: 'MTU of the default bridge in bytes; 0 lets the driver choose',
  }),
  'default-address-pools': key<readonly { readonly base: string; readonly size: number }[]>({
    schema: arrayOf(object({ base: cidr(), size: integer({ min: 1, max: 128 }) })),
    fallback: [],
    flag: {
      name: 'default-address-pool',
      takes: 'many',
      placeholder: 'base=cidr,size=bits',
      toJson: (texts) =>
        texts.map((text) => {
          const pool = pairs(text);
          return 'size' in pool ? { ...pool, size: Number(pool.size) } : pool;
        }),
    },
    reload: 'restart',
    about: 'Pools that new networks take their subnets from',
  }),
  dns: key<readonly string[]>({
    schema: arrayOf(ipAddress()),
    fallback: [],
    flag: flagOf.list('dns'),
    reload: 'live',
    about: 'DNS servers of containers that name none',
  }),
  'dns-opts': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('dns-opt'),
    reload: 'live',
    about: 'DNS options of containers that name none',
  }),
  'dns-search': key<readonly string[]>({
    schema: arrayOf(string()),
    fallback: [],
    flag: flagOf.list('dns-search'),
    reload: 'live',
    about: 'DNS search domains of containers that name none',
  }),
  'host-gateway-ips': key<readonly string[]>({
    schema: arrayOf(ipAddress()),
    fallback: [],
    flag: flagOf.list('host-gateway-ip'),
    reload: 'live',
    about: 'Addresses that host-gateway in --add-host stands for',
  }),
};
