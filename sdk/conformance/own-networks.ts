import { randomBytes } from 'node:crypto';
import type {
  DriverNetworkOptions,
  EndpointInterface,
  EndpointOptions,
  IpamData,
  JoinResult,
  NetworkDriver,
} from '../contracts/network-driver';
import { CleanupStack } from '../lifecycle';
import type { JudgedPlugin } from './judged-plugin';
import { type ConformanceCase, skip } from './suite';

/** A network driver to judge, and what is known about it. */
export interface NetworkDriverSubject {
  readonly driver: NetworkDriver;
  /** Options a network can be created with; none when absent. */
  readonly options?: Readonly<Record<string, string>>;
  /** Options the driver must refuse. */
  readonly refusedOptions?: Readonly<Record<string, string>>;
  /** First three numbers of a /24 that the driver may use; 198.18.77 when absent. */
  readonly subnet?: string;
  /** The driver cannot have IPv6. */
  readonly withoutIPv6?: boolean;
  /** The driver has one network and never gives it up; the cases share it under the id `ONLY_NETWORK`. */
  readonly hasOnlyNetwork?: boolean;
  /** Errors carry their kind; plain protocol answers do not. */
  readonly tellsKinds: boolean;
  /** When the driver is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

/** Pieces that the cases about networks are made of. */
export const hexId = () => randomBytes(32).toString('hex');
/** The id that cases about the wire use as well. */
export const ONLY_NETWORK = '0'.repeat(64);
export const networkIdFor = ({ hasOnlyNetwork }: NetworkDriverSubject) => (hasOnlyNetwork ? ONLY_NETWORK : hexId());
export const sandbox = () => `/run/docker/netns/${randomBytes(6).toString('hex')}`;
export const noOptions: EndpointOptions = { exposedPorts: [], portMap: [], generic: {} };
export const unset: EndpointInterface = { address: '', addressIPv6: '', macAddress: '' };
export const mac = '02:42:c6:12:4d:63';

/** What a subject says, or else its usual value. */
export const subnetOf = (subject: NetworkDriverSubject) => subject.subnet ?? '198.18.77';
export const ipv4Of = (subject: NetworkDriverSubject, gateway = true): IpamData[] => [
  {
    addressSpace: 'LocalDefault',
    pool: `${subnetOf(subject)}.0/24`,
    ...(gateway ? { gateway: `${subnetOf(subject)}.1/24` } : {}),
  },
];
const optionsOf = (subject: NetworkDriverSubject, more: Partial<DriverNetworkOptions> = {}): DriverNetworkOptions => ({
  generic: subject.options ?? {},
  enableIPv4: true,
  enableIPv6: false,
  internal: false,
  ...more,
});

/** Makes things that are taken away when the case ends. */
export interface Tools {
  network(
    ipv4?: readonly IpamData[],
    ipv6?: readonly IpamData[],
    more?: Partial<DriverNetworkOptions>,
  ): Promise<string>;
  endpoint(network: string, iface?: Partial<EndpointInterface>, id?: string): Promise<string>;
  join(network: string, endpoint: string): Promise<JoinResult>;
  onEnd(step: () => Promise<unknown>): void;
}

/** Gives networks to a case and takes every one of them away afterwards. */
async function withNetworks(subject: NetworkDriverSubject, work: (tools: Tools) => Promise<void>): Promise<void> {
  const { driver } = subject;
  const cleanup = new CleanupStack();
  const onEnd = (step: () => Promise<unknown>) => cleanup.push(async () => void (await step().catch(() => undefined)));
  let host = 2;
  try {
    await work({
      async network(ipv4 = ipv4Of(subject), ipv6 = [], more = {}) {
        const id = networkIdFor(subject);
        onEnd(() => driver.deleteNetwork(id));
        await driver.createNetwork(id, optionsOf(subject, more), ipv4, ipv6);
        return id;
      },
      async endpoint(network, iface = {}, id = hexId()) {
        onEnd(() => driver.deleteEndpoint(network, id));
        const address = `${subnetOf(subject)}.${host++}/24`;
        await driver.createEndpoint(network, id, { ...unset, address, ...iface }, noOptions);
        return id;
      },
      async join(network, endpoint) {
        onEnd(() => driver.leave(network, endpoint));
        return driver.join(network, endpoint, sandbox(), noOptions);
      },
      onEnd,
    });
  } finally {
    await cleanup.runAll();
  }
}

/** A case about networks. */
export type Case = ConformanceCase<NetworkDriverSubject>;
export const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `network.${id}`,
  title,
  rule,
  run,
});
/** Gives a case networks of its own. */
export const withThem =
  (work: (tools: Tools, subject: NetworkDriverSubject) => Promise<void>) => (subject: NetworkDriverSubject) =>
    withNetworks(subject, (tools) => work(tools, subject));
/** The way to a plugin behind a socket; in process there is none. */
export const onTheWire = (subject: NetworkDriverSubject): JudgedPlugin =>
  subject.client ?? skip('in process there is no wire');
