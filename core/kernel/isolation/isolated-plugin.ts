import { join } from 'node:path';
import { ApiRoutes1, type Logger, type PluginDefinition, withDeadline } from '@gantry/sdk';
import type { RetrySchedule } from '@gantry/sdk/client';
import { driverKinds, protocolClient } from '../remote/driver-kinds';
import type { DescribedPlugin, PluginModule } from './plugin-job';
import { ask, launchProcess, PluginProcess } from './plugin-process';
import type { ProcessLimits } from './process-limits';

/** A plugin that runs in a process of its own, for those who only look at definitions. */
export interface IsolatedDefinition extends PluginDefinition {
  /** How often its process was started again. */
  readonly restarts: () => number;
}

export const isIsolated = (definition: PluginDefinition): definition is IsolatedDefinition => 'restarts' in definition;

/** While a process starts again its callers wait. */
const retry: RetrySchedule = { waitsMs: [50, 100, 200, 400, 800, 1600, 3200, 3200, 3200], giveUpAfterMs: 20_000 };
const describeTimeoutMs = 20_000;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** Asks a process of its own what a module defines. Nothing of the module is loaded here. */
export async function describeIsolated(
  module: PluginModule,
): Promise<DescribedPlugin | { readonly problems: readonly { readonly pointer: string; readonly message: string }[] }> {
  const child = launchProcess(silent);
  try {
    const answer = await withDeadline(`loading the plugin "${module.name}"`, describeTimeoutMs, () =>
      ask(child, { do: 'describe', module }, 'any'),
    );
    if (answer.said === 'described') return answer.plugin;
    if (answer.said === 'problems') return { problems: answer.problems };
    throw new Error(`its process said "${answer.said}"`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** A definition that starts the plugin in its own process and gives drivers that call it there. */
export function isolatedPlugin(
  module: PluginModule,
  described: DescribedPlugin,
  limits: ProcessLimits | undefined,
): IsolatedDefinition {
  let running: PluginProcess | undefined;
  const { version, engine, startTimeoutMs, hasReady } = described;
  const kinds = Object.entries(described.provides);
  return {
    name: module.name,
    version,
    engine,
    startTimeoutMs,
    provides: Object.fromEntries(kinds.map(([key, id]) => [key, { id, arity: 'many' as const }])),
    // It was parsed where the plugin's own schema is.
    config: { expects: 'an object', parse: (value) => ({ ok: true, value }) },
    restarts: () => running?.restarts ?? 0,
    async start({ stateDir, runDir, settings, log, onStop }) {
      const sockets = Object.fromEntries(kinds.map(([key], index) => [key, join(runDir, `driver-${index}.sock`)]));
      const job = { do: 'start', module, stateDir, runDir, settings: { ...settings }, sockets } as const;
      const own = new PluginProcess({ name: module.name, job, hasReady, limits, log });
      running = own;
      onStop(() => own.close());
      await own.start();
      const drivers: Record<string, unknown> = {};
      for (const [key, id] of kinds) {
        const client = protocolClient().connectPlugin({ name: module.name, address: sockets[key]!, retry });
        onStop(client);
        const { implements: implemented } = await client.activate();
        const routes = id === ApiRoutes1.id ? await protocolClient().connectApiRoutes(client) : undefined;
        const context = { logFifos: join(runDir, 'logging'), implemented, routes, isOwnProcess: true };
        drivers[key] = driverKinds.get(id)!.connect(client, context);
      }
      return drivers;
    },
    ...(hasReady ? { ready: () => running?.ready() } : {}),
  };
}
