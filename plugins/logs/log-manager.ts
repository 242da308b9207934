import {
  type DaemonSettings,
  type DriverSet,
  errorKind,
  invalidParameter,
  type LogDriver,
  type Logger,
  type LogInfo,
  type LogManager,
  type LogReadOptions,
  notImplemented,
} from '@gantry/sdk';
import { deliveryOptions, driverOptions } from './common-options';
import { ContainerPump } from './pump/container-pump';
import { RingWriter } from './pump/ring-writer';

/** The driver that keeps nothing; it needs no plugin. */
const NONE = 'none';

/** Chooses drivers, starts pumps and reads back. */
export function makeLogManager(
  drivers: DriverSet<LogDriver>,
  defaults: Pick<DaemonSettings, 'logDriver' | 'logOpts'>,
  log: Logger,
): LogManager {
  const manager: LogManager = {
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
      driver.validate(driverOptions(options));
    },

    async startPump(type, info, streams) {
      const pumpLog = log.child({ container: info.containerId, driver: type });
      if (type === NONE) return new ContainerPump(streams, undefined, pumpLog);
      const { ringBytes } = deliveryOptions(info.options);
      const writer = await (await resolve(drivers, type)).open(forDriver(info));
      const sink = ringBytes === undefined ? writer : new RingWriter(writer, ringBytes, pumpLog);
      return new ContainerPump(streams, sink, pumpLog);
    },

    async canRead(type) {
      return type !== NONE && canReadBack(await resolve(drivers, type));
    },

    async *read(type, info, options: LogReadOptions, signal) {
      const driver = type === NONE ? undefined : await resolve(drivers, type);
      if (driver?.read === undefined || !(await canReadBack(driver)))
        throw notImplemented('configured logging driver does not support reading');
      yield* driver.read(forDriver(info), options, signal);
    },

    async remove(type, info) {
      if (type === NONE) return;
      await (await resolve(drivers, type)).remove?.(forDriver(info));
    },
  };
  return manager;
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
    throw invalidParameter(`logger: no log driver named '${type}' is registered`, error);
  }
}

function forDriver(info: LogInfo): LogInfo {
  return { ...info, options: driverOptions(info.options) };
}
