import { equal, ok } from 'node:assert/strict';
import { BlockList } from 'node:net';
import type { IpamDriver } from '../contracts/ipam-driver';
import { CleanupStack } from '../lifecycle';
import { field, ipamDriverMethods as methods } from '../wire';
import { isCidr } from './answer-rules';
import type { JudgedPlugin } from './judged-plugin';
import { refuses } from './refusal';
import { type ConformanceCase, type ConformanceSuite, ProtocolBreach, skip } from './suite';
import { wireCases } from './wire-cases';

/** An IPAM driver to judge, and what is known about it. */
export interface IpamDriverSubject {
  readonly driver: IpamDriver;
  /** First three numbers of a /24 that the driver may give; 198.18.78 when absent. */
  readonly subnet?: string;
  /** Options a pool is asked for with; none when absent. */
  readonly options?: Readonly<Record<string, string>>;
  /** The driver has no IPv6 pools. */
  readonly withoutIPv6?: boolean;
  /** Its one pool stands for "none", as that of `null` does: there are no addresses to choose from. */
  readonly withoutPools?: boolean;
  /** When the driver is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

interface Tools {
  /** The prefix of a fresh pool: what comes before the last dot. Drivers without pools are not judged further. */
  readonly net: string;
  pool(more?: { pool?: string; subPool?: string; v6?: boolean }): Promise<{ poolId: string; pool: string }>;
  address(poolId: string, wanted?: string, options?: Readonly<Record<string, string>>): Promise<string>;
}

/** Gives pools and addresses to a case and takes all of them back afterwards. */
const withPools =
  (work: (tools: Tools, subject: IpamDriverSubject) => Promise<void>) =>
  async (subject: IpamDriverSubject): Promise<void> => {
    const { driver } = subject;
    const cleanup = new CleanupStack();
    const onEnd = (step: () => Promise<unknown>) =>
      cleanup.push(async () => void (await step().catch(() => undefined)));
    const net = subject.subnet ?? '198.18.78';
    const usual = subject.withoutPools ? '' : `${net}.0/24`;
    try {
      const { local } = await driver.defaultAddressSpaces();
      await work(
        {
          get net() {
            return subject.withoutPools ? skip('this driver has no pools') : net;
          },
          async pool(more = {}) {
            const request = { pool: usual, subPool: '', options: subject.options ?? {}, v6: false, ...more };
            const given = await driver.requestPool({ addressSpace: local, ...request });
            onEnd(() => driver.releasePool(given.poolId));
            return given;
          },
          async address(poolId, wanted = '', options = {}) {
            const given = await driver.requestAddress(poolId, wanted, options);
            onEnd(() => driver.releaseAddress(poolId, given.split('/')[0]!));
            return given;
          },
        },
        subject,
      );
    } finally {
      await cleanup.runAll();
    }
  };

function isInside(address: string, pool: string): boolean {
  const family = pool.includes(':') ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  const [base = '', length = ''] = pool.split('/');
  list.addSubnet(base, Number(length), family);
  return list.check(address.split('/')[0]!, family);
}

/** A driver may not be able to do everything that can be asked for. */
const orSkip = <T>(work: Promise<T>, what: string): Promise<T> =>
  work.catch((error: Error) => {
    if (error instanceof ProtocolBreach) throw error;
    return skip(`this driver refuses ${what}: ${error.message}`);
  });

const needsPools = ({ withoutPools }: IpamDriverSubject) => withoutPools && skip('this driver has no pools');

type Case = ConformanceCase<IpamDriverSubject>;
const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `ipam.${id}`,
  title,
  rule,
  run,
});
const onTheWire = ({ client }: IpamDriverSubject): JudgedPlugin => client ?? skip('in process there is no wire');

const poolCases: readonly Case[] = [
  one('capabilities', 'P-IPAM-7', 'capabilities are booleans', async (subject) => {
    const answer = await onTheWire(subject)
      .call(methods.capabilities)
      .catch(() => skip('this driver does not tell its capabilities'));
    for (const name of ['RequiresMACAddress', 'RequiresRequestReplay'])
      ok(
        ['boolean', 'undefined'].includes(typeof field(answer, name)),
        `${name} ${JSON.stringify(field(answer, name))}`,
      );
  }),
  one('address-spaces', 'P-IPAM-3', 'both default address spaces have a name', async ({ driver }) => {
    const { local, global } = await driver.defaultAddressSpaces();
    ok(local !== '' && global !== '', `local "${local}", global "${global}"`);
  }),
  one(
    'pool.asked',
    'P-IPAM-1',
    'the pool that is asked for is given',
    withPools(async ({ pool, net }) => {
      equal((await pool({ pool: `${net}.128/25` })).pool, `${net}.128/25`);
    }),
  ),
  one(
    'pool.any',
    'P-IPAM-3',
    'a pool may be left to the driver',
    withPools(async ({ pool }) => {
      const given = await orSkip(pool({ pool: '' }), 'to choose a pool');
      ok(isCidr(given.pool) && !given.pool.endsWith('/32'), `the pool "${given.pool}"`);
    }),
  ),
  one(
    'pool.again',
    'P-IPAM-2',
    'the same request gives the same pool',
    withPools(async ({ pool }) => {
      equal((await pool()).poolId, (await pool()).poolId);
    }),
  ),
  one(
    'pool.counted',
    'P-IPAM-2',
    'a pool stays until its last user has released it',
    withPools(async ({ pool, address }, { driver }) => {
      const { poolId } = await pool();
      await pool();
      await driver.releasePool(poolId);
      await address(poolId);
    }),
  ),
  one(
    'pool.sub',
    'P-IPAM-2',
    'addresses come from the sub-pool',
    withPools(async ({ pool, address, net }) => {
      const subPool = `${net}.64/26`;
      const { poolId } = await orSkip(pool({ subPool }), 'sub-pools');
      const given = await address(poolId);
      ok(isInside(given, subPool), `${given} is not in ${subPool}`);
    }),
  ),
  one(
    'pool.sub-alone',
    'P-IPAM-2',
    'a sub-pool without a pool is an error',
    withPools(async ({ pool, net }) => {
      await refuses(pool({ pool: '', subPool: `${net}.64/26` }), 'a sub-pool without a pool');
    }),
  ),
  one(
    'pool.ipv6',
    'P-IPAM-1',
    'a pool of IPv6 is given',
    withPools(async ({ pool }, { withoutIPv6 }) => {
      if (withoutIPv6) skip('this driver has no IPv6');
      const given = await orSkip(pool({ pool: '', v6: true }), 'to choose a pool of IPv6');
      ok(given.pool.includes(':'), `the pool "${given.pool}"`);
    }),
  ),
  one(
    'pool.null-options',
    'P-IPAM-1',
    'options may be null',
    withPools(async ({ net }, subject) => {
      const client = onTheWire(subject);
      if (subject.options !== undefined) skip('this driver needs options');
      const { local } = await subject.driver.defaultAddressSpaces();
      const body = { AddressSpace: local, Pool: `${net}.0/24`, SubPool: '', Options: null, V6: false };
      const PoolID = field(await client.call({ ...methods.requestPool, body }), 'PoolID');
      await client.call({ ...methods.releasePool, body: { PoolID } });
    }),
  ),
];

const addressCases: readonly Case[] = [
  one(
    'address.any',
    'P-IPAM-4',
    'an address has the length of its pool and lies in it',
    withPools(async ({ pool, address, net }) => {
      const given = await address((await pool()).poolId);
      equal(given.split('/')[1], '24', `the address ${given}`);
      ok(isInside(given, `${net}.0/24`), `${given} is not in ${net}.0/24`);
    }),
  ),
  one(
    'address.once',
    'P-IPAM-4',
    'sixteen addresses at once are sixteen addresses',
    withPools(async ({ pool, address }, subject) => {
      needsPools(subject);
      const { poolId } = await pool();
      const given = await Promise.all(Array.from({ length: 16 }, () => address(poolId)));
      equal(new Set(given).size, 16, given.join(', '));
    }),
  ),
  one(
    'address.asked',
    'P-IPAM-1',
    'the address that is asked for is given',
    withPools(async ({ pool, address, net }) => {
      equal((await address((await pool()).poolId, `${net}.99`)).split('/')[0], `${net}.99`);
    }),
  ),
  one(
    'address.taken',
    'P-CALL-8',
    'an address that is taken is not given again',
    withPools(async ({ pool, address }, subject) => {
      needsPools(subject);
      const { poolId } = await pool();
      const [given = ''] = (await address(poolId)).split('/');
      await refuses(address(poolId, given), 'a taken address');
    }),
  ),
  one(
    'address.outside',
    'P-CALL-8',
    'an address outside of the pool is an error',
    withPools(async ({ pool, address }, subject) => {
      needsPools(subject);
      await refuses(address((await pool()).poolId, '203.0.113.9'), 'an address outside of the pool');
    }),
  ),
  one(
    'address.absent-pool',
    'P-CALL-8',
    'an address of a pool that is not there is an error',
    withPools(async ({ address }) => {
      await refuses(address('conformance-no-such-pool'), 'an address of an absent pool');
    }),
  ),
  one(
    'address.gateway',
    'P-IPAM-1',
    'an address for a gateway is given',
    withPools(async ({ pool, address, net }) => {
      const options = { RequestAddressType: 'com.docker.network.gateway' };
      const given = await address((await pool()).poolId, '', options);
      ok(isInside(given, `${net}.0/24`), `${given} is not in ${net}.0/24`);
    }),
  ),
  one(
    'address.options',
    'P-IPAM-5',
    'options of the engine are taken',
    withPools(async ({ pool, address }) => {
      await address((await pool()).poolId, '', {
        'com.docker.network.endpoint.macaddress': '02:42:c6:12:4e:02',
        'com.docker.network.ipam.serial': 'true',
      });
    }),
  ),
  one(
    'address.released',
    'P-IPAM-1',
    'a released address can be given again',
    withPools(async ({ pool, address, net }, { driver }) => {
      const { poolId } = await pool();
      await address(poolId, `${net}.77`);
      await driver.releaseAddress(poolId, `${net}.77`);
      equal((await address(poolId, `${net}.77`)).split('/')[0], `${net}.77`);
    }),
  ),
  one(
    'address.full',
    'P-CALL-8',
    'a full pool is an error',
    withPools(async ({ pool, address, net }) => {
      const { poolId } = await orSkip(pool({ pool: `${net}.240/29` }), 'small pools');
      const given = new Set<string>();
      const fill = async () => {
        for (let count = 0; count <= 8; count++) given.add(await address(poolId));
      };
      await refuses(fill(), 'the ninth address of eight');
      ok(given.size >= 1 && given.size <= 8, `${given.size} addresses were given`);
    }),
  ),
];

const wire = wireCases({
  prefix: 'ipam',
  kind: 'IpamDriver',
  methods: [
    [methods.defaultAddressSpaces.method, undefined],
    [methods.requestPool.method, { AddressSpace: '', Pool: '', SubPool: '198.18.78.0/26', Options: {}, V6: false }],
    [methods.releasePool.method, { PoolID: 'conformance-no-such-pool' }],
    [methods.requestAddress.method, { PoolID: 'conformance-no-such-pool', Address: '', Options: {} }],
    [methods.releaseAddress.method, { PoolID: 'conformance-no-such-pool', Address: '198.18.78.9' }],
  ],
  emptyBodies: [methods.capabilities.method, methods.defaultAddressSpaces.method],
});

/** What every IPAM driver must do, in process and behind a socket. Takes and gives back pools of its own only. */
export const ipamDriverSuite: ConformanceSuite<IpamDriverSubject> = {
  kind: 'ipam',
  cases: [...wire.first, ...poolCases, ...addressCases, ...wire.last],
};
