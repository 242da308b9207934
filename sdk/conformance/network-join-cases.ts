import { equal, ok } from 'node:assert/strict';
import { isIP } from 'node:net';
import { isCidr } from './answer-rules';
import { type Case, hexId, noOptions, one, sandbox, withThem } from './own-networks';
import { refuses } from './refusal';
import { skip } from './suite';

/** Expectations about joining a sandbox and leaving it. */
export const joinCases: readonly Case[] = [
  one(
    'join.interface',
    'P-NET-7',
    'Join names an interface to move and a prefix for its new name, or none',
    withThem(async ({ network, endpoint, join }) => {
      const id = await network();
      const { interfaceName } = await join(id, await endpoint(id));
      if (interfaceName === undefined) return;
      ok(/^[^\s/]{1,15}$/.test(interfaceName.srcName), `SrcName "${interfaceName.srcName}" cannot be an interface`);
      ok(/^[^\s/]{1,12}$/.test(interfaceName.dstPrefix), `DstPrefix "${interfaceName.dstPrefix}" cannot be a prefix`);
    }),
  ),
  one(
    'join.gateway',
    'P-NET-7',
    'gateways are plain addresses',
    withThem(async ({ network, endpoint, join }) => {
      const id = await network();
      const { gateway = '', gatewayIPv6 = '' } = await join(id, await endpoint(id));
      ok(gateway === '' || isIP(gateway) === 4, `Gateway "${gateway}"`);
      ok(gatewayIPv6 === '' || isIP(gatewayIPv6) === 6, `GatewayIPv6 "${gatewayIPv6}"`);
    }),
  ),
  one(
    'join.routes',
    'P-NET-7',
    'routes go via a next hop (type 0) or are on the link (type 1)',
    withThem(async ({ network, endpoint, join }) => {
      const id = await network();
      for (const route of (await join(id, await endpoint(id))).staticRoutes ?? []) {
        ok(isCidr(route.destination), `Destination "${route.destination}" is not in CIDR`);
        equal(isIP(route.nextHop) !== 0, route.routeType === 0, `the route ${JSON.stringify(route)}`);
      }
    }),
  ),
  one(
    'join.absent',
    'P-CALL-8',
    'joining with an endpoint that is not there is an error',
    withThem(async ({ network, onEnd }, { driver }) => {
      const id = await network();
      const absent = hexId();
      onEnd(() => driver.leave(id, absent));
      await refuses(driver.join(id, absent, sandbox(), noOptions), 'join of an absent endpoint');
    }),
  ),
  one(
    'leave',
    'P-NET-7',
    'an endpoint that has left can join again',
    withThem(async ({ network, endpoint, join }, { driver }) => {
      const id = await network();
      const joined = await endpoint(id);
      await join(id, joined);
      await driver.leave(id, joined);
      await join(id, joined);
    }),
  ),
  one(
    'parallel',
    'P-NET-7',
    'eight endpoints at once have eight interfaces',
    withThem(async ({ network, endpoint, join }) => {
      const id = await network();
      const endpoints = await Promise.all(Array.from({ length: 8 }, () => endpoint(id)));
      const results = await Promise.all(endpoints.map((it) => join(id, it)));
      const names = results.flatMap(({ interfaceName }) => interfaceName?.srcName ?? []);
      equal(new Set(names).size, names.length, `interfaces ${names.join(', ')}`);
    }),
  ),
  one(
    'external',
    'P-CALL-9',
    'external connectivity is programmed and revoked, or not implemented',
    withThem(async ({ network, endpoint, join }, { driver }) => {
      if (driver.programExternalConnectivity === undefined) skip('this driver has no external connectivity');
      const id = await network();
      const joined = await endpoint(id);
      await join(id, joined);
      await driver.programExternalConnectivity(id, joined, noOptions);
      await driver.revokeExternalConnectivity?.(id, joined);
    }),
  ),
];
