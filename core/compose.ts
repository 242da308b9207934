import 'reflect-metadata';
import {
  ApiRoutes1,
  Authz1,
  Clock1,
  type DaemonSettings,
  DriverUsers1,
  EventBus1,
  MetricsCollector1,
  MetricsSource1,
  PluginDoor1,
  SystemInfo1,
  systemClock,
} from '@gantry/sdk';
import { container, type DependencyContainer, type InjectionToken } from 'tsyringe';
import { ApiServer } from './api/api-server';
import { AuthorizationChain } from './authz/authorization-chain';
import type { Configuration } from './config/read-configuration';
import { EventLog } from './events/event-log';
import { DriverRegistry } from './kernel/driver-registry';
import { PluginHost } from './kernel/lifecycle/plugin-host';
import { bundledPlugins } from './kernel/loader/bundled-plugins';
import { OfferedPlugins } from './kernel/remote/offered-plugins';
import { RemotePlugins } from './kernel/remote/remote-plugins';
import { StateFile } from './kernel/supervisor/state-file';
import { Supervisor } from './kernel/supervisor/supervisor';
import { allWatchers } from './kernel/watched-instance';
import type { DaemonLog } from './log/create-logger';
import { loggedCalls } from './log/logged-calls';
import { EngineMetrics } from './metrics/engine-metrics';
import { MetricsCollectors } from './metrics/metrics-collectors';
import { MetricsServer } from './metrics/metrics-server';
import { Daemon } from './process/daemon';
import { tracesSettings } from './traces/traces-settings';
import { Tracing } from './traces/tracing';
import { daemonVersion } from './version';

/** What plugins get from the core itself. */
export const coreCapabilities: ReadonlySet<string> = new Set([Clock1.id, EventBus1.id, PluginDoor1.id]);

/** What exists before anything is composed. */
export interface DaemonInputs {
  readonly configuration: Configuration;
  readonly settings: DaemonSettings;
  readonly log: DaemonLog;
  readonly bundled?: readonly string[];
}

/** A name with the type it stands for. */
type Token<T> = InjectionToken<T> & symbol;
const token = <T>(name: string): Token<T> => Symbol(name) as Token<T>;

export const tokens = {
  configuration: token<Configuration>('configuration'),
  settings: token<DaemonSettings>('settings'),
  log: token<DaemonLog>('log'),
  events: token<EventLog>('events'),
  remote: token<RemotePlugins>('remote'),
  offered: token<OfferedPlugins>('offered'),
  supervisor: token<Supervisor>('supervisor'),
  pluginStates: token<StateFile>('pluginStates'),
  drivers: token<DriverRegistry>('drivers'),
  metrics: token<EngineMetrics | undefined>('metrics'),
  metricsServer: token<MetricsServer | undefined>('metricsServer'),
  metricsCollectors: token<MetricsCollectors>('metricsCollectors'),
  traces: token<Tracing | undefined>('traces'),
  plugins: token<PluginHost>('plugins'),
  authorization: token<AuthorizationChain>('authorization'),
  api: token<ApiServer>('api'),
  daemon: token<Daemon>('daemon'),
} as const;

/** Everything the daemon consists of, each part once. Building does nothing; `start` of the daemon begins the work. */
export function composeDaemon(inputs: DaemonInputs): DependencyContainer {
  const parts = container.createChildContainer();
  const provide = <T>(name: Token<T>, make: (from: DependencyContainer) => T): void => {
    if (parts.isRegistered(name)) throw new Error(`${name.description} is registered twice`);
    // tsyringe's own cache asks again for a part that is absent.
    let made: { readonly part: T } | undefined;
    parts.register(name, {
      useFactory: (from) => {
        made ??= { part: make(from) };
        return made.part;
      },
    });
  };
  provide(tokens.configuration, () => inputs.configuration);
  provide(tokens.settings, () => inputs.settings);
  provide(tokens.log, () => inputs.log);
  provide(tokens.events, (from) => new EventLog(from.resolve(tokens.log)));
  provide(
    tokens.remote,
    (from) =>
      new RemotePlugins({
        directories: inputs.configuration.values['plugin-directories'],
        execRoot: inputs.settings.execRoot,
        log: from.resolve(tokens.log),
        supervisor: from.resolve(tokens.supervisor),
        offered: from.resolve(tokens.offered),
        headers: from.resolve(tokens.traces)?.headers,
        routesChanged: () => from.resolve(tokens.api).routesChanged(),
      }),
  );
  provide(
    tokens.offered,
    (from) =>
      new OfferedPlugins({
        registry: () => from.resolve(tokens.drivers),
        supervisor: from.resolve(tokens.supervisor),
        users: () =>
          from
            .resolve(tokens.drivers)
            .all(DriverUsers1)
            .entries()
            .map(([, users]) => users),
        leaveChain: (isMeant) => from.resolve(tokens.authorization).leave(isMeant),
        metrics: {
          socket: () => from.resolve(tokens.metricsCollectors).socket(),
          start: () => from.resolve(tokens.metricsCollectors).start(),
        },
        headers: from.resolve(tokens.traces)?.headers,
      }),
  );
  provide(tokens.drivers, (from) => {
    const drivers = new DriverRegistry(
      from.resolve(tokens.remote),
      allWatchers([
        from.resolve(tokens.metrics)?.watchCall,
        from.resolve(tokens.traces)?.watchCall,
        loggedCalls(from.resolve(tokens.log)),
      ]),
      from.resolve(tokens.supervisor).watchCall,
      (id) => id === MetricsCollector1.id && from.resolve(tokens.metricsCollectors).arrived(),
    );
    drivers.add(EventBus1, 'events', 'core', from.resolve(tokens.events));
    drivers.add(Clock1, 'clock', 'core', systemClock);
    drivers.add(PluginDoor1, 'door', 'core', from.resolve(tokens.offered));
    drivers.add(SystemInfo1, 'supervisor', 'core', { info: () => from.resolve(tokens.supervisor).info() });
    return drivers;
  });
  provide(
    tokens.supervisor,
    (from) => new Supervisor({ events: from.resolve(tokens.events), log: from.resolve(tokens.log) }),
  );
  provide(tokens.pluginStates, (from) => {
    const supervisor = from.resolve(tokens.supervisor);
    return new StateFile(from.resolve(tokens.settings).execRoot, () => supervisor.states());
  });
  provide(tokens.metrics, (from) => {
    // Without an address nobody looks: then nothing is counted, and the library is not loaded.
    if (inputs.configuration.values['metrics-addr'] === '') return undefined;
    return new EngineMetrics({
      events: from.resolve(tokens.events),
      sources: () => from.resolve(tokens.drivers).all(MetricsSource1).entries(),
      settings: from.resolve(tokens.settings),
      version: daemonVersion,
      log: from.resolve(tokens.log),
    });
  });
  provide(tokens.traces, (from) => {
    const log = from.resolve(tokens.log);
    const wanted = tracesSettings(process.env);
    if (wanted.kind === 'refused') log.warn('traces are not exported', { reason: wanted.reason });
    if (wanted.kind !== 'on') return undefined;
    const { engineId } = from.resolve(tokens.settings);
    return new Tracing({ protocol: wanted.protocol, version: daemonVersion.version, engineId }, log);
  });
  provide(
    tokens.metricsCollectors,
    (from) =>
      new MetricsCollectors({
        collectors: () => from.resolve(tokens.drivers).all(MetricsCollector1).entries(),
        metrics: from.resolve(tokens.metrics),
        execRoot: from.resolve(tokens.settings).execRoot,
        log: from.resolve(tokens.log),
      }),
  );
  provide(tokens.metricsServer, (from) => {
    const metrics = from.resolve(tokens.metrics);
    return metrics && new MetricsServer(metrics, from.resolve(tokens.log));
  });
  provide(
    tokens.plugins,
    (from) =>
      new PluginHost({
        registry: from.resolve(tokens.drivers),
        settings: from.resolve(tokens.settings),
        log: from.resolve(tokens.log),
        onLateStart: () => from.resolve(tokens.api).routesChanged(),
        supervisor: from.resolve(tokens.supervisor),
      }),
  );
  provide(tokens.authorization, (from) => {
    const plugins = from.resolve(tokens.drivers).all(Authz1);
    return new AuthorizationChain(inputs.configuration.values['authorization-plugins'], {
      find: (name) => plugins.resolve(name),
      log: from.resolve(tokens.log),
    });
  });
  provide(tokens.api, (from) => {
    const drivers = from.resolve(tokens.drivers);
    const metrics = from.resolve(tokens.metrics);
    const traces = from.resolve(tokens.traces);
    return new ApiServer({
      routes: () => {
        const all = drivers.all(ApiRoutes1).entries();
        // Of two equal routes the first one counts: a plugin elsewhere takes nobody's place.
        const [here, elsewhere] = [false, true].map((is) => all.filter(([, it]) => (it.isForwarded === true) === is));
        return [...here!, ...elsewhere!].flatMap(([, contributed]) => contributed.routes);
      },
      subjectOf: (route, params) =>
        drivers
          .all(ApiRoutes1)
          .entries()
          .find(([, { routes }]) => routes.includes(route))?.[1]
          .subjectOf?.(route.path, params),
      systemInfo: () => drivers.all(SystemInfo1).entries(),
      authorize: from.resolve(tokens.authorization),
      version: daemonVersion,
      events: from.resolve(tokens.events),
      ended: metrics && ((outcome) => metrics.requestEnded(outcome)),
      around: traces && ((request, work) => traces.request(request, work)),
      settings: from.resolve(tokens.settings),
      log: from.resolve(tokens.log),
      watchPlugin: allWatchers([metrics?.watchCall, traces?.watchCall, from.resolve(tokens.supervisor).watchCall]),
    });
  });
  provide(
    tokens.daemon,
    (from) =>
      new Daemon({
        configuration: from.resolve(tokens.configuration),
        bundled: inputs.bundled ?? bundledPlugins,
        coreCapabilities,
        plugins: from.resolve(tokens.plugins),
        api: from.resolve(tokens.api),
        authorization: from.resolve(tokens.authorization),
        remote: from.resolve(tokens.remote),
        drivers: from.resolve(tokens.drivers),
        supervisor: from.resolve(tokens.supervisor),
        pluginStates: from.resolve(tokens.pluginStates),
        events: from.resolve(tokens.events),
        metricsServer: from.resolve(tokens.metricsServer),
        metricsCollectors: from.resolve(tokens.metricsCollectors),
        traces: from.resolve(tokens.traces),
        log: from.resolve(tokens.log),
      }),
  );
  return parts;
}
