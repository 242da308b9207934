import type { DaemonSettings, DriverSet, EventBus, IpamDriver, Logger, NetworkDriver } from '@gantry/sdk';
import type { NetworkRegistry } from '../networks/network-registry';
import type { RecordStore } from '../records/record-store';
import type { SandboxRecord } from '../records/sandbox-record';

/** What sandboxes are made with. */
export interface SandboxDeps {
  readonly networks: NetworkRegistry;
  readonly drivers: DriverSet<NetworkDriver>;
  readonly ipam: (name: string) => Promise<IpamDriver>;
  readonly store: RecordStore<SandboxRecord>;
  readonly events: EventBus;
  readonly log: Logger;
  readonly settings: DaemonSettings;
  /** Directory of the namespace files. */
  readonly namespaceDir: string;
  /** The host's resolver configuration. */
  readonly resolvConfPath: string;
}
