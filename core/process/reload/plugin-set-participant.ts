import { isDeepStrictEqual } from 'node:util';
import { DriverUsers1, errorMessage } from '@gantry/sdk';
import type { PluginEntry } from '../../config/plugin-entry';
import type { Configuration } from '../../config/read-configuration';
import type { DriverRegistry } from '../../kernel/driver-registry';
import type { PluginPlan } from '../../kernel/lifecycle/plan-plugins';
import type { PluginHost } from '../../kernel/lifecycle/plugin-host';
import { forgetModule } from '../../kernel/loader/import-module';
import type { RemotePlugins } from '../../kernel/remote/remote-plugins';
import type { ComingDriver, PreparedReload, ReloadParticipant } from './participant';

/** Keys that the plugin set is judged by. */
const judgedKeys = ['plugins', 'plugin-directories', 'runtimes', 'default-runtime', 'storage-driver'] as const;

export interface PluginSetDeps {
  /** @throws ConfigurationError  with everything that is wrong with the set */
  readonly plan: (wanted: Configuration) => Promise<PluginPlan>;
  readonly plugins: Pick<PluginHost, 'prepareReplacement' | 'fixedBecause'>;
  readonly remote: Pick<RemotePlugins, 'prepareReplacement'>;
  readonly drivers: DriverRegistry;
}

interface Replacement {
  /** What is there afterwards, of those on sockets. */
  readonly brings?: readonly ComingDriver[];
  commit(): void;
  rollback(): Promise<void> | void;
}

/** @throws Error  drivers that would go are used */
function assertUnused(drivers: DriverRegistry, plugin: string, kept: readonly string[]): void {
  const lost = drivers.driversOf(plugin).filter((driver) => !kept.includes(driver));
  if (lost.length === 0) return;
  const users = drivers
    .all(DriverUsers1)
    .entries()
    .flatMap(([, it]) => it.usersOf((driver) => lost.includes(driver)))
    .sort();
  if (users.length === 0) return;
  const shown = users.slice(0, 5).join(', ') + (users.length > 5 ? ` and ${users.length - 5} more` : '');
  throw new Error(`its driver ${lost.join(', ')} is in use by ${shown}; remove these first`);
}

const isOnSocket = (entry: PluginEntry | undefined): boolean => !!entry && entry.socket !== undefined;

/**
 * Adds, removes, replaces and reconfigures plugins that bring drivers, while the others run. The new generation starts
 * before the old one goes; a set that could not start, or of which one plugin does not, is refused whole.
 */
export function pluginSetParticipant(deps: PluginSetDeps): ReloadParticipant {
  return {
    async prepare({ before, wanted }) {
      if (judgedKeys.every((key) => isDeepStrictEqual(before[key], wanted.values[key]))) return undefined;
      const [old, next] = [before.plugins, wanted.values.plugins];
      const names = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter(
        (name) => !isDeepStrictEqual(old[name], next[name]),
      );
      for (const name of names) {
        const entry = next[name];
        if (entry && entry.module !== undefined) forgetModule(entry.module, wanted.file);
      }
      const plan = await deps.plan(wanted);
      const prepared: Replacement[] = [];
      const applied: string[] = [];
      const needRestart: string[] = [];
      const brings: ComingDriver[] = [];
      const rollback = async () => {
        for (const part of prepared.reverse()) await part.rollback();
      };
      for (const name of names) {
        const planned = plan.plugins.find((it) => it.name === name);
        const fixed = deps.plugins.fixedBecause(name, planned);
        if (fixed !== undefined) {
          needRestart.push(`plugins.${name} (${fixed})`);
          continue;
        }
        try {
          const socket = plan.sockets.find((it) => it.name === name);
          assertUnused(deps.drivers, name, socket ? [name] : Object.keys(planned?.definition.provides ?? {}));
          const wasSocket = isOnSocket(old[name]);
          const parts = [
            ...(planned !== undefined || !wasSocket ? [() => deps.plugins.prepareReplacement(name, planned)] : []),
            ...(socket !== undefined || wasSocket
              ? [() => deps.remote.prepareReplacement(name, socket, deps.drivers)]
              : []),
          ];
          // Whoever was there before gives its calls to the first part that is made.
          for (const prepare of wasSocket ? parts.reverse() : parts) prepared.push(await prepare());
        } catch (error) {
          await rollback();
          throw new Error(`plugin "${name}" cannot be put in place: ${errorMessage(error)}`, { cause: error });
        }
        for (const [driver, { id }] of Object.entries(planned?.definition.provides ?? {}))
          brings.push({ capabilityId: id, name: driver });
        applied.push(`plugins.${name}`);
      }
      const result: PreparedReload = {
        commit: () => {
          for (const part of prepared) part.commit();
        },
        rollback,
        brings: [...brings, ...prepared.flatMap((part) => part.brings ?? [])],
        applied,
        needRestart,
      };
      return result;
    },
  };
}
