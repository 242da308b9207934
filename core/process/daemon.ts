import { dirname, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { errorMessage, type Logger } from '@gantry/sdk';
import type { ApiServer } from '../api/api-server';
import { forgetActivation } from '../api/listeners/activated-sockets';
import type { AuthorizationChain } from '../authz/authorization-chain';
import { listenAddresses } from '../config/listen-addresses';
import { ConfigurationError } from '../config/problem';
import type { Configuration } from '../config/read-configuration';
import type { EventLog } from '../events/event-log';
import { eventDirectory } from '../events/event-store';
import { renderBootReport } from '../kernel/boot-report';
import type { DriverRegistry } from '../kernel/driver-registry';
import { type PluginPlan, planPlugins } from '../kernel/lifecycle/plan-plugins';
import type { PluginHost } from '../kernel/lifecycle/plugin-host';
import { loadPlugins, type SocketPlugin } from '../kernel/loader/load-plugins';
import { type PluginProblem, PluginSetError, pluginPointer } from '../kernel/plugin-problem';
import type { RemotePlugins } from '../kernel/remote/remote-plugins';
import type { StateFile } from '../kernel/supervisor/state-file';
import type { Supervisor } from '../kernel/supervisor/supervisor';
import { parseMetricsAddress } from '../metrics/metrics-address';
import type { MetricsCollectors } from '../metrics/metrics-collectors';
import type { MetricsServer } from '../metrics/metrics-server';
import type { Tracing } from '../traces/tracing';
import { checkChoices } from './check-choices';

export interface DaemonDeps {
  readonly configuration: Configuration;
  readonly bundled: readonly string[];
  /** Ids of the capabilities that plugins get from the core. */
  readonly coreCapabilities: ReadonlySet<string>;
  readonly plugins: PluginHost;
  readonly api: ApiServer;
  readonly authorization: AuthorizationChain;
  readonly remote: RemotePlugins;
  readonly drivers: DriverRegistry;
  readonly supervisor: Supervisor;
  readonly pluginStates: StateFile;
  readonly events: EventLog;
  /** Absent when no address is configured. */
  readonly metricsServer?: MetricsServer;
  readonly metricsCollectors: MetricsCollectors;
  /** Absent when the environment does not ask for traces. */
  readonly traces?: Tracing;
  readonly log: Logger;
}

/** How long streams and requests in flight may take to end when the plugins have stopped. */
const graceMs = 250;

/**
 * Patterns of clients reach regular expressions: one that backtracks without end is taken over by the linear engine.
 * Called when the modules are loaded, because Node does not use its compiled code with other flags than it was built
 * with.
 */
function boundPatternsOfClients(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}

/** The running whole: plugins behind sockets. */
export class Daemon {
  constructor(private readonly deps: DaemonDeps) {}

  /**
   * @throws ConfigurationError  the plugin set cannot run; every reason at once
   * @throws system  an authorization plugin cannot be used
   */
  async start(): Promise<void> {
    const { configuration, plugins, api, authorization, log } = this.deps;
    const startedAt = performance.now();
    // Numbers and times of events go on from the last run; whoever connects asks for what comes after a number.
    await this.deps.events.open(eventDirectory(configuration.values['data-root']));
    await this.deps.metricsServer?.listen(parseMetricsAddress(configuration.values['metrics-addr']));
    // The sockets open first: whoever connects while plugins are loaded waits for them instead of being refused.
    for (const address of listenAddresses(configuration)) await api.listen(address);
    forgetActivation();
    const plan = await planConfigured(this.deps);
    try {
      await Promise.all([plugins.start(plan), this.reachSockets(plan.sockets)]);
      await plugins.ready();
    } catch (error) {
      throw error instanceof PluginSetError ? located(error.problems, configuration) : error;
    }
    await authorization.activate();
    boundPatternsOfClients();
    api.started();
    const report = plugins.report();
    for (const { name, reason } of report.skipped) {
      log.info('plugin skipped', { plugin: name, reason });
      this.deps.supervisor.isSkipped(name, reason);
    }
    await this.deps.pluginStates.open();
    // Nobody waits for a collector.
    void this.deps.metricsCollectors.start();
    log.info('plugins started', {
      started: report.started.length,
      skipped: report.skipped.length,
      ms: Math.round(performance.now() - startedAt),
    });
    for (const line of renderBootReport(report)) log.debug(line);
  }

  /**
   * Shakes hands with the plugins that daemon.json names by their sockets. The optional ones are not waited for.
   *
   * @throws PluginSetError  those that are not optional and cannot be used
   */
  private async reachSockets(sockets: readonly SocketPlugin[]): Promise<void> {
    const { remote, drivers } = this.deps;
    remote.configure(sockets);
    const problems: PluginProblem[] = [];
    const required = sockets.filter((plugin) => {
      if (plugin.optional) remote.expect(plugin, drivers);
      return !plugin.optional;
    });
    await Promise.all(
      required.map(async ({ name }) => {
        this.deps.supervisor.isUnreached(name, 'it has not answered yet');
        try {
          await remote.register(name, drivers);
        } catch (error) {
          const message = `plugin "${name}" cannot be used: ${errorMessage(error)}`;
          problems.push({ plugin: name, pointer: `${pluginPointer(name)}/socket`, message });
        }
      }),
    );
    if (problems.length > 0) throw new PluginSetError(problems);
  }

  /**
   * Stops everything in reverse. Clients attached to containers or waiting for them keep their connections until the
   * containers have stopped, and learn the exit code. Never throws.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { api, plugins, remote, events } = this.deps;
    api.stopAccepting();
    await this.deps.pluginStates.close();
    await this.deps.metricsCollectors.stop();
    this.deps.supervisor.close();
    await plugins.stop(deadlineMs);
    await events.close();
    await api.close(graceMs);
    remote.close();
    this.deps.metricsServer?.close();
    await this.deps.traces?.close();
  }
}

/**
 * Loads and judges the configured plugin set without starting it.
 *
 * @throws ConfigurationError  every problem at once, with its place in daemon.json
 */
export async function planConfigured(
  deps: Pick<DaemonDeps, 'configuration' | 'bundled' | 'coreCapabilities'>,
): Promise<PluginPlan> {
  const { values, file } = deps.configuration;
  const searchFrom = [...new Set([process.cwd(), ...(file ? [resolve(dirname(file))] : []), values['data-root']])];
  const loaded = await loadPlugins(deps.bundled, values.plugins, searchFrom);
  const planned = planPlugins(loaded, deps.coreCapabilities);
  if ('problems' in planned) throw located(planned.problems, deps.configuration);
  const problems = checkChoices(deps.configuration, planned.plan);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return planned.plan;
}

function located(problems: readonly PluginProblem[], configuration: Configuration): ConfigurationError {
  return new ConfigurationError(
    problems.map(({ pointer, message }) => ({ where: configuration.where(pointer), message })),
  );
}
