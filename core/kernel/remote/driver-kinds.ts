import {
  type ApiRoutes,
  ApiRoutes1,
  Authz1,
  IpamDriver1,
  LogDriver1,
  MetricsCollector1,
  NetworkDriver1,
  SecretProvider1,
  VolumeDriver1,
} from '@gantry/sdk';
import type { PluginClient } from '@gantry/sdk/client';
import type { ServeOptions } from '@gantry/sdk/serve';

/** How a kind of driver is spoken to on a socket. */
export interface DriverKind {
  /** As in the answer to the handshake (P-ACT-2). */
  readonly implementsName: string;
  /** What `serve` calls it. */
  readonly servedAs: keyof ServeOptions['drivers'];
  connect(client: PluginClient, context: DriverContext): unknown;
}

/** What some kinds of drivers need besides a socket. */
export interface DriverContext {
  /** Where the FIFOs of log drivers are. */
  readonly logFifos: string;
  /** The same folder as the plugin sees it; the same path when absent. */
  readonly pluginLogFifos?: string;
  /** It is a module of this daemon, isolated in its own process. */
  readonly isOwnProcess?: boolean;
  /** What the plugin has told about its routes, when it has any. */
  readonly routes?: ApiRoutes;
  /** Everything the plugin named in its handshake. */
  readonly implemented: readonly string[];
  /** Turns a path of the plugin into one of the host, where they differ (P-PROP-2). */
  readonly hostPath?: (path: string) => Promise<string>;
}

/** The protocol client, loaded only when there is a plugin to talk to. */
export const protocolClient = () => require('@gantry/sdk/client') as typeof import('@gantry/sdk/client');

/** Capability → its kind on the wire. What is missing here cannot be on a socket. */
export const driverKinds: ReadonlyMap<string, DriverKind> = new Map<string, DriverKind>([
  [
    VolumeDriver1.id,
    {
      implementsName: 'VolumeDriver',
      servedAs: 'volume',
      connect: (client, { hostPath }) => protocolClient().connectVolumeDriver(client, { hostPath }),
    },
  ],
  [
    NetworkDriver1.id,
    {
      implementsName: 'NetworkDriver',
      servedAs: 'network',
      connect: (client) => protocolClient().connectNetworkDriver(client),
    },
  ],
  [
    LogDriver1.id,
    {
      implementsName: 'LogDriver',
      servedAs: 'log',
      connect: (client, { logFifos, pluginLogFifos, isOwnProcess }) =>
        protocolClient().connectLogDriver(client, {
          fifoFolder: logFifos,
          pluginFolder: pluginLogFifos,
          showsLogPath: isOwnProcess,
        }),
    },
  ],
  [
    Authz1.id,
    {
      implementsName: 'authz',
      servedAs: 'authorization',
      connect: (client, { implemented }) =>
        protocolClient().connectAuthorizationPlugin(client, {
          wantsContext: implemented.includes('authz.context/v1'),
        }),
    },
  ],
  [
    IpamDriver1.id,
    { implementsName: 'IpamDriver', servedAs: 'ipam', connect: (client) => protocolClient().connectIpamDriver(client) },
  ],
  [
    MetricsCollector1.id,
    {
      implementsName: 'MetricsCollector',
      servedAs: 'metrics',
      connect: (client) => protocolClient().connectMetricsCollector(client),
    },
  ],
  [ApiRoutes1.id, { implementsName: 'api-routes/v1', servedAs: 'routes', connect: (_client, { routes }) => routes }],
  [
    SecretProvider1.id,
    {
      implementsName: 'secretprovider',
      servedAs: 'secret',
      connect: (client) => protocolClient().connectSecretProvider(client),
    },
  ],
]);
