import { expect, test } from '@jest/globals';
import { formatCidr, overlaps, parseCidr } from '../address/cidr';
import { createDefaultIpam } from '../ipam/default-ipam';
import { builtInPools, uniqueLocalPool } from '../ipam/default-pools';

const open = () => createDefaultIpam([...builtInPools, uniqueLocalPool('engine')]);
const anyPool = { addressSpace: 'LocalDefault', pool: '', subPool: '', options: {}, v6: false };

test('pools come in the order of dockerd and keep clear of host routes', async () => {
  const ipam = open();
  const pool = async (avoid: string[] = []) => (await ipam.requestPool({ ...anyPool, avoid })).pool;
  expect(await pool()).toBe('172.17.0.0/16');
  expect(await pool(['172.18.4.0/24', '172.19.0.0/16', '0.0.0.0/0'])).toBe('172.20.0.0/16');
  expect(await pool()).toBe('172.18.0.0/16');
});

test('when all pools are used the next is refused, and a released one is given again', async () => {
  const ipam = open();
  const ids: string[] = [];
  for (let i = 0; i < 31; i++) ids.push((await ipam.requestPool(anyPool)).poolId);
  await expect(ipam.requestPool(anyPool)).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message: 'all predefined address pools have been fully subnetted',
  });
  await ipam.releasePool(ids[7]!);
  expect((await ipam.requestPool(anyPool)).poolId).toBe(ids[7]);
});

test('a pool that overlaps another is refused', async () => {
  const ipam = open();
  await ipam.requestPool({ ...anyPool, pool: '10.0.0.0/8' });
  await expect(ipam.requestPool({ ...anyPool, pool: '10.4.0.0/16' })).rejects.toMatchObject({
    kind: 'forbidden',
    message: 'invalid pool request: Pool overlaps with other one on this address space',
  });
});

test('addresses come from the range, never the network or broadcast address, lowest free first', async () => {
  const ipam = open();
  const { poolId } = await ipam.requestPool({ ...anyPool, pool: '10.0.0.0/29', subPool: '10.0.0.4/30' });
  const next = () => ipam.requestAddress(poolId, '', {});
  expect(await ipam.requestAddress(poolId, '10.0.0.1', {})).toBe('10.0.0.1/29');
  expect([await next(), await next(), await next()]).toEqual(['10.0.0.4/29', '10.0.0.5/29', '10.0.0.6/29']);
  await expect(next()).rejects.toThrow("no available IPv4 addresses on this network's address pools");
  await ipam.releaseAddress(poolId, '10.0.0.5');
  expect(await next()).toBe('10.0.0.5/29');
});

test('a wished address outside the pool or in use is refused', async () => {
  const ipam = open();
  const { poolId } = await ipam.requestPool({ ...anyPool, pool: '10.0.0.0/24' });
  await ipam.requestAddress(poolId, '10.0.0.9', {});
  await expect(ipam.requestAddress(poolId, '10.0.0.9', {})).rejects.toMatchObject({ kind: 'conflict' });
  await expect(ipam.requestAddress(poolId, '10.0.1.9', {})).rejects.toMatchObject({ kind: 'invalid-parameter' });
  await expect(ipam.requestAddress(poolId, '10.0.0.255', {})).rejects.toMatchObject({ kind: 'conflict' });
});

test('whatever is asked and released in whatever order, no two holders have the same address or overlapping pools', async () => {
  let seed = 20260101;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed % below;
  };
  const ipam = open();
  const pools: string[] = [];
  const held = new Map<string, string[]>();
  for (let step = 0; step < 4000; step++) {
    const action = random(40);
    const poolId = pools[random(pools.length || 1)];
    if (poolId === undefined || (action === 0 && pools.length < 25)) {
      const given = await ipam.requestPool({ ...anyPool, v6: random(2) === 1 });
      pools.push(given.poolId);
      held.set(given.poolId, []);
    } else if (action === 1 && pools.length > 3) {
      await ipam.releasePool(poolId);
      pools.splice(pools.indexOf(poolId), 1);
      held.delete(poolId);
    } else if (action < 28) held.get(poolId)!.push(await ipam.requestAddress(poolId, '', {}));
    else {
      const [address] = held.get(poolId)!.splice(random(held.get(poolId)!.length || 1), 1);
      if (address) await ipam.releaseAddress(poolId, address.split('/')[0]!);
    }
  }
  const blocks = pools.map((id) => parseCidr(id.split('/').slice(1, 3).join('/')).block);
  for (const [i, a] of blocks.entries()) for (const b of blocks.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
  const all = [...held.values()].flat();
  expect(all.length).toBeGreaterThan(100);
  expect(new Set(all).size).toBe(all.length);
});

test('the IPv6 pool of an engine is a unique local one and stays the same', () => {
  expect(formatCidr(uniqueLocalPool('a').base)).toMatch(/^fd.*\/48$/);
  expect(uniqueLocalPool('a')).toEqual(uniqueLocalPool('a'));
  expect(uniqueLocalPool('a')).not.toEqual(uniqueLocalPool('b'));
});
