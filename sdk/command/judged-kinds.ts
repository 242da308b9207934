import {
  connectAuthorizationPlugin,
  connectIpamDriver,
  connectLogDriver,
  connectMetricsCollector,
  connectNetworkDriver,
  connectSecretProvider,
  connectVolumeDriver,
} from '../client';
import {
  authorizationSuite,
  type ConformanceSuite,
  ipamDriverSuite,
  type JudgedPlugin,
  logDriverSuite,
  metricsCollectorSuite,
  networkDriverSuite,
  type SampleRequest,
  secretProviderSuite,
  volumeDriverSuite,
} from '../conformance';
import type { PluginKind } from '../wire';

/** What the command line told about the plugin. */
export interface Known {
  readonly options?: Readonly<Record<string, string>>;
  readonly refusedOptions?: Readonly<Record<string, string>>;
  readonly unreachable: boolean;
  readonly forgetsData: boolean;
  readonly withoutIPv6: boolean;
  readonly subnet?: string;
  readonly fifoFolder: string;
  readonly allowed?: SampleRequest;
  readonly denied?: SampleRequest;
  readonly metricsSocket?: string;
  readonly secret?: string;
}

/** A kind of plugin that can be judged. */
export interface JudgedKind {
  /** As in the handshake. */
  readonly implementsName: PluginKind;
  readonly judge: (client: JudgedPlugin, known: Known) => Judgement<any>;
}

/** A suite with what it judges. */
export interface Judgement<S> {
  readonly suite: ConformanceSuite<S>;
  readonly subject: S;
}

const judgement = <S>(suite: ConformanceSuite<S>, subject: S): Judgement<S> => ({ suite, subject });
const tellsKinds = false;

/** By the name that follows `gantry-plugin test`. */
export const judgedKinds: Readonly<Record<string, JudgedKind>> = {
  volume: {
    implementsName: 'VolumeDriver',
    judge: (client, { options, refusedOptions, unreachable, forgetsData }) =>
      judgement(volumeDriverSuite, {
        driver: connectVolumeDriver(client, { sendsEmptyOptions: true }),
        client,
        tellsKinds,
        options,
        refusedOptions,
        reachable: !unreachable,
        keepsData: !forgetsData,
      }),
  },
  network: {
    implementsName: 'NetworkDriver',
    judge: (client, { options, refusedOptions, subnet, withoutIPv6 }) =>
      judgement(networkDriverSuite, {
        driver: connectNetworkDriver(client),
        client,
        tellsKinds,
        options,
        refusedOptions,
        subnet,
        withoutIPv6,
      }),
  },
  ipam: {
    implementsName: 'IpamDriver',
    judge: (client, { options, subnet, withoutIPv6 }) =>
      judgement(ipamDriverSuite, { driver: connectIpamDriver(client), client, options, subnet, withoutIPv6 }),
  },
  log: {
    implementsName: 'LogDriver',
    judge: (client, { options, refusedOptions, fifoFolder }) =>
      judgement(logDriverSuite, {
        driver: connectLogDriver(client, { fifoFolder }),
        client,
        options,
        refusedOptions,
        fifoFolder,
      }),
  },
  authz: {
    implementsName: 'authz',
    judge: (client, { allowed, denied }) =>
      judgement(authorizationSuite, { plugin: connectAuthorizationPlugin(client), client, allowed, denied }),
  },
  metrics: {
    implementsName: 'MetricsCollector',
    judge: (client, { metricsSocket }) =>
      judgement(metricsCollectorSuite, { collector: connectMetricsCollector(client), client, metricsSocket }),
  },
  secret: {
    implementsName: 'secretprovider',
    judge: (client, { secret }) =>
      judgement(secretProviderSuite, { provider: connectSecretProvider(client), client, secret }),
  },
};
