import {
  type DaemonSettings,
  type DriverSet,
  type DriverUsers,
  type EventBus,
  errorKind,
  errorMessage,
  invalidParameter,
  type LogDriver,
  type Logger,
  type LogInfo,
  type LogManager,
  type LogReadOptions,
  type LogWriter,
  type MetricsSource,
  notImplemented,
  systemError,
  waitAtMost,
} from '@gantry/sdk';
import { deliveryOptions, splitOptions } from './common-options';
import { DroppedMessages } from './dropped-messages';
import { ContainerPump, type PumpSource } from './pump/container-pump';
import { storedMessages } from './pump/left-output';
import { isRetained } from './pump/retained-reading';
import { RingWriter } from './pump/ring-writer';
import { CACHE_DRIVER, CachingWriter, cacheInfo, hasCopy } from './read-cache';
import { Deliveries } from './spool/deliveries';

/** The log manager with what else the plugin makes of it. */
export interface LoggingParts extends LogManager, DriverUsers, MetricsSource {
  readonly deliveries: Deliveries;
}

type ContainerStreams = Parameters<LogManager['startPump']>[2];

/** The driver that keeps nothing; it needs no plugin. */
const NONE = 'none';
/** A driver that takes longer to say what it can do counts as one that cannot be read back now. */
const ASK_MS = 1500;

/** Chooses drivers, starts pumps and reads back. */
export function makeLogManager(
  drivers: DriverSet<LogDriver>,
  defaults: Pick<DaemonSettings, 'logDriver' | 'logOpts'>,
  log: Logger,
  events: Pick<EventBus, 'publish'>,
): LoggingParts {
  const dropped = new DroppedMessages(events);
  const deliveries = new Deliveries(
    async (type, info) => openWriter(await resolve(drivers, type), forDriver(info)),
    log,
  );
  /** Containers whose output goes to a driver now. */
  const written = new Map<ContainerPump, { readonly type: string; readonly containerId: string }>();
  const manager: LoggingParts = {
    deliveries,

    usersOf: (isMeant) =>
      [...written.values()]
        .filter(({ type }) => isMeant(type))
        .map(({ containerId }) => `log of container ${containerId.slice(0, 12)}`),

    resolveConfig({ type, options }) {
      const effective = type || defaults.logDriver;
      // The daemon's options are for its driver only.
      return {
        type: effective,
        options: effective === defaults.logDriver ? { ...defaults.logOpts, ...options } : options,
      };
    },

    async validate(type, options) {
      if (type === NONE) return;
      const driver = await resolve(drivers, type);
      deliveryOptions(options);
      driver.validate(splitOptions(options).options);
    },

    async startPump(type, info, streams, { isResumed = false } = {}) {
      const pumpLog = log.child({ container: info.containerId, driver: type });
      if (type === NONE) return new ContainerPump(sourcesOf(streams), undefined, pumpLog);
      const { containerId } = info;
      // Looked at before the driver writes again.
      const sources = await Promise.all(sourcesOf(streams).map((each) => withStored(each, type, info)));
      const { ringBytes, spoolBytes } = deliveryOptions(info.options);
      const drops = dropped.counter(type, info);
      const writer = await deliveries.open(type, info, { spoolBytes, isResumed, drops });
      const sink = ringBytes === undefined ? writer : new RingWriter(writer, ringBytes, pumpLog, drops);
      // A driver that cannot be asked now, or that nobody knows yet, gets a copy as well.
      const canRead = await soon(resolve(drivers, type).then(canReadBack), false);
      const copy = canRead ? undefined : await openCopy(info);
      const pump = new ContainerPump(sources, copy === undefined ? sink : new CachingWriter(sink, copy), pumpLog);
      written.set(pump, { type: drivers.nameOf(type), containerId });
      void pump.done.then(() => written.delete(pump));
      return pump;
    },

    droppedMessages: (containerId) => dropped.of(containerId),

    metrics: () => [dropped.metrics(), deliveries.metrics()],

    async canRead(type, info) {
      return (await readable(type, info)) !== undefined;
    },

    async *read(type, info, options: LogReadOptions, signal) {
      const source = await readable(type, info);
      if (source === undefined) throw notImplemented('configured logging driver does not support reading');
      yield* source.driver.read!(source.info, options, signal);
    },

    async remove(type, info) {
      if (type === NONE) return;
      await deliveries.remove(info);
      dropped.forget(info.containerId);
      const copy = cacheInfo(info);
      if (copy !== undefined) await drivers.get(CACHE_DRIVER)?.remove?.(copy);
      await (await resolve(drivers, type)).remove?.(forDriver(info));
    },
  };

  async function withStored(each: PumpSource, type: string, info: LogInfo): Promise<PumpSource> {
    const left = isRetained(each.stream) ? each.stream.left : undefined;
    if (left === undefined) return each;
    try {
      const from = await soon(readable(type, info), undefined);
      if (from === undefined) return each;
      const never = new AbortController().signal;
      const read = (options: LogReadOptions) => from.driver.read!(from.info, options, never);
      return { ...each, stored: await storedMessages(each.source, left, read) };
    } catch (error) {
      log.warn('what an earlier daemon stored cannot be told, it may be stored again', {
        container: info.containerId,
        error: errorMessage(error),
      });
      return each;
    }
  }

  async function openCopy(info: LogInfo): Promise<LogWriter | undefined> {
    const copy = cacheInfo(info);
    return copy === undefined ? undefined : drivers.get(CACHE_DRIVER)?.open(copy);
  }

  /** Where a container's log is read: from its driver, else from the copy. */
  async function readable(
    type: string,
    info: LogInfo,
  ): Promise<{ readonly driver: LogDriver; readonly info: LogInfo } | undefined> {
    if (type === NONE) return undefined;
    const copy = cacheInfo(info);
    const cache = drivers.get(CACHE_DRIVER);
    const fromCopy = copy === undefined || cache?.read === undefined ? undefined : { driver: cache, info: copy };
    try {
      const driver = await resolve(drivers, type);
      return (await canReadBack(driver)) ? { driver, info: forDriver(info) } : fromCopy;
    } catch (error) {
      if (fromCopy !== undefined && (await hasCopy(fromCopy.info))) return fromCopy;
      throw error;
    }
  }

  return manager;
}

/** What `work` comes to, or `otherwise` when it fails or takes its time: a container that prints is waiting. */
async function soon<T>(work: Promise<T>, otherwise: T): Promise<T> {
  let known = otherwise;
  const asked = work.then(
    (value) => {
      known = value;
    },
    () => undefined,
  );
  await waitAtMost(ASK_MS, asked);
  return known;
}

function sourcesOf({ stdout, stderr }: ContainerStreams): PumpSource[] {
  const sources: PumpSource[] = [{ source: 'stdout', stream: stdout }];
  if (stderr !== undefined) sources.push({ source: 'stderr', stream: stderr });
  return sources;
}

/** @throws in dockerd's words, for what keeps a container from starting */
async function openWriter(driver: LogDriver, info: LogInfo): Promise<LogWriter> {
  try {
    return await driver.open(info);
  } catch (error) {
    throw systemError(
      `failed to create task for container: failed to initialize logging driver: ${errorMessage(error)}`,
      error,
    );
  }
}

async function canReadBack(driver: LogDriver): Promise<boolean> {
  if (driver.read === undefined) return false;
  return driver.capabilities === undefined || (await driver.capabilities()).readLogs;
}

async function resolve(drivers: DriverSet<LogDriver>, type: string): Promise<LogDriver> {
  try {
    return drivers.get(type) ?? (await drivers.resolve(type));
  } catch (error) {
    if (errorKind(error) !== 'not-found') throw error;
    throw invalidParameter(`error looking up logging plugin ${type}: ${errorMessage(error)}`, error);
  }
}

function forDriver(info: LogInfo): LogInfo {
  return { ...info, ...splitOptions(info.options) };
}
