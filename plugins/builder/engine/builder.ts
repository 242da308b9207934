import type { ContainerManager, DaemonSettings, EventBus, ImageManager, Logger } from '@gantry/sdk';
import type { BuildCache } from '../cache/build-cache';
import type { CacheMounts } from '../cache/cache-mounts';
import type { FileWorkers } from '../copy/file-workers';
import type { ClientSessions } from '../session/client-sessions';
import type { Scratch } from './scratch';
import type { StepContainers } from './step-containers';

/** What every build leans on. */
export interface Builder {
  readonly images: ImageManager;
  readonly containers: ContainerManager;
  readonly events: EventBus;
  readonly settings: DaemonSettings;
  readonly log: Logger;
  readonly files: FileWorkers;
  readonly steps: StepContainers;
  readonly scratch: Scratch;
  readonly cache: BuildCache;
  readonly cacheMounts: CacheMounts;
  readonly sessions: ClientSessions;
  /** For what must not be on disk: sockets and secrets. */
  readonly private: Scratch;
}
