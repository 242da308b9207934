import { availableParallelism } from 'node:os';
import type {
  Clock,
  DaemonSettings,
  DriverSet,
  EventBus,
  ImageManager,
  Logger,
  LogManager,
  NetworkManager,
  Runtime,
  SpecHook,
  VolumeManager,
} from '@gantry/sdk';
import { KeyedLock } from '@gantry/sdk';
import type { ExecInstance } from './exec/exec-instance';
import { ContainerIndex } from './records/container-index';
import type { RecordStore } from './records/record-store';
import type { Container } from './run/container';
import type { PluginWaits } from './run/plugin-waits';
import { Semaphore } from './run/semaphore';
import type { HostFacts } from './spec/host-facts';

/** The rooms the engine leans on. */
export interface EngineNeeds {
  readonly images: ImageManager;
  readonly networks: NetworkManager;
  readonly volumes: VolumeManager;
  readonly logs: LogManager;
  readonly runtimes: DriverSet<Runtime>;
  readonly hooks: DriverSet<SpecHook>;
  readonly events: EventBus;
  readonly clock: Clock;
}

/** What every use-case of the engine is given. */
export interface Engine extends EngineNeeds {
  readonly settings: DaemonSettings;
  readonly log: Logger;
  readonly store: RecordStore;
  readonly index: ContainerIndex;
  /** One queue per container: changes of one never wait for another. */
  readonly locks: KeyedLock;
  /** More runtime creations at once than this only slow each other down. */
  readonly creations: Semaphore;
  readonly execs: Map<string, ExecInstance>;
  readonly host: HostFacts;
  readonly pluginWaits: PluginWaits;
  /** Probes since the daemon started. */
  readonly healthChecks: { total: number; failed: number };
  /** Set once the daemon is going down: nothing is restarted any more. */
  stopping: boolean;
}

export function makeEngine(
  needs: EngineNeeds,
  own: { settings: DaemonSettings; log: Logger; store: RecordStore; host: HostFacts },
): Engine {
  return {
    ...needs,
    ...own,
    index: new ContainerIndex(),
    locks: new KeyedLock(),
    creations: new Semaphore(2 * availableParallelism()),
    execs: new Map(),
    pluginWaits: new Map(),
    healthChecks: { total: 0, failed: 0 },
    stopping: false,
  };
}

/** Tells the world what happened to a container, with the attributes every container event has. */
export function publish(
  engine: Pick<Engine, 'events'>,
  container: Container,
  action: string,
  attributes: Record<string, string> = {},
): void {
  const { id, name, config } = container.record;
  engine.events.publish({
    type: 'container',
    action,
    // Labels win over what happened, as dockerd has it.
    actor: {
      id,
      attributes: { ...attributes, ...config.Labels, ...(config.Image ? { image: config.Image } : {}), name },
    },
  });
}
