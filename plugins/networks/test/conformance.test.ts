import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpamDriver, Logger, NetworkDriver } from '@gantry/sdk';
import { connectIpamDriver, connectNetworkDriver } from '@gantry/sdk/client';
import {
  connectJudgedPlugin,
  declareTests,
  ipamDriverSuite,
  type JudgedPlugin,
  networkDriverSuite,
} from '@gantry/sdk/conformance';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { knowsLinkKind } from '@gantry/sdk/linux/rtnetlink-kinds';
import { createOnlyNetworkDriver } from '@gantry/sdk/network-drivers';
import { type ServedPlugin, serve } from '@gantry/sdk/serve';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startBridge } from '../../network-bridge/start';
import { createParentLinkDriver } from '../../network-macvlan/parent-link-driver';
import { createDefaultIpam } from '../ipam/default-ipam';
import { builtInPools, uniqueLocalPool } from '../ipam/default-pools';
import { createNullIpam } from '../ipam/null-ipam';
import { enterPrivateNetwork, linkNames, testSettings } from './test-engine';

jest.setTimeout(60_000);

const OWNER = 'gantry-conform1';
const log: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => log,
};
let leave: () => void;
let folder: string;
let socket: NetlinkSocket;
let bridge: ReturnType<typeof startBridge>;
let before: string[];
const drivers: Record<string, () => NetworkDriver> = {
  bridge: () => bridge,
  macvlan: () => createParentLinkDriver('macvlan', { socket, log, owner: OWNER, parents: new Map() }),
  ...(kernelHas('ipvlan')
    ? { ipvlan: () => createParentLinkDriver('ipvlan', { socket, log, owner: OWNER, parents: new Map() }) }
    : {}),
  host: () => createOnlyNetworkDriver('host'),
  null: () => createOnlyNetworkDriver('null'),
};
const options = { macvlan: { parent: 'cable0' }, ipvlan: { parent: 'cable0' } } as Record<
  string,
  Record<string, string>
>;
const refused = {
  bridge: { 'com.docker.network.bridge.enable_icc': 'perhaps' },
  macvlan: { parent: 'cable0', macvlan_mode: 'perhaps' },
  ipvlan: { parent: 'cable0', ipvlan_mode: 'perhaps' },
} as Record<string, Record<string, string>>;

beforeAll(() => {
  leave = enterPrivateNetwork();
  folder = mkdtempSync(join(tmpdir(), 'networks-conformance-'));
  execFileSync('ip', ['link', 'add', 'cable0', 'type', 'veth', 'peer', 'name', 'cable1']);
  socket = NetlinkSocket.open();
  bridge = startBridge(testSettings(folder), { mtu: 0, hostFirewallDecides: false }, log);
  before = linkNames();
});
afterAll(async () => {
  expect(linkNames()).toEqual(before);
  await bridge.close();
  socket.close();
  rmSync(folder, { recursive: true });
  leave();
});

describe.each(Object.keys(drivers))('the network driver %s', (name) => {
  const about = {
    options: options[name],
    refusedOptions: refused[name],
    ...(['host', 'null'].includes(name) ? { hasOnlyNetwork: true } : {}),
    tellsKinds: true,
  };

  describe('in process', () => {
    let driver: NetworkDriver;
    beforeAll(() => {
      driver = drivers[name]!();
    });
    declareTests(test, networkDriverSuite, () => ({ driver, ...about }), note);
  });

  describe('over a socket', () => {
    let served: ServedPlugin;
    let client: JudgedPlugin;
    beforeAll(async () => {
      served = await serve({ drivers: { network: drivers[name]!() }, socketPath: join(folder, `${name}.sock`) });
      client = connectJudgedPlugin({ name, address: served.address });
    });
    afterAll(() => served.close());
    const subject = () => ({ driver: connectNetworkDriver(client), client, ...about });
    declareTests(test, networkDriverSuite, subject, note);
  });
});

const ipamDrivers: Record<string, () => IpamDriver> = {
  default: () => createDefaultIpam([...builtInPools, uniqueLocalPool('conformance')]),
  null: createNullIpam,
};

describe.each(Object.keys(ipamDrivers))('the IPAM driver %s', (name) => {
  const make = ipamDrivers[name]!;
  const about = name === 'null' ? { withoutPools: true, withoutIPv6: true } : {};

  describe('in process', () => {
    const driver = make();
    declareTests(test, ipamDriverSuite, () => ({ driver, ...about }), note);
  });

  describe('over a socket', () => {
    let served: ServedPlugin;
    let client: JudgedPlugin;
    beforeAll(async () => {
      served = await serve({ drivers: { ipam: make() }, socketPath: join(folder, `ipam-${name}.sock`) });
      client = connectJudgedPlugin({ name, address: served.address });
    });
    afterAll(() => served.close());
    declareTests(test, ipamDriverSuite, () => ({ driver: connectIpamDriver(client), client, ...about }), note);
  });
});

/** What could not be judged is told on request, so that the usual output stays short. */
function note(line: string): void {
  if (process.env.GANTRY_CONFORMANCE_NOTES) process.stdout.write(`${line}\n`);
}

function kernelHas(kind: string): boolean {
  const probe = NetlinkSocket.open();
  try {
    return knowsLinkKind(probe, kind);
  } finally {
    probe.close();
  }
}
