import type { PluginHost } from '../../kernel/lifecycle/plugin-host';
import type { ReloadChange, ReloadParticipant } from './participant';

/** Keys that the plugin set is judged by. */
const judgedKeys = ['plugins', 'plugin-directories', 'runtimes', 'default-runtime', 'storage-driver'] as const;

/**
 * Refuses a configuration that the daemon could not start with, although most of it would need a restart.
 *
 * @param judge  throws ConfigurationError with everything that is wrong
 */
export function pluginSetJudge(judge: (change: ReloadChange) => Promise<unknown>): ReloadParticipant {
  return {
    async prepare(change) {
      const { before, wanted } = change;
      if (judgedKeys.some((key) => before[key] !== wanted.values[key])) await judge(change);
      return undefined;
    },
  };
}

/** Lets the running plugins take over what they have copied or derived from settings. */
export function pluginHostParticipant(plugins: Pick<PluginHost, 'prepareChange'>): ReloadParticipant {
  return {
    prepare: ({ changed, settings }) => (changed.size === 0 ? undefined : plugins.prepareChange(settings, changed)),
  };
}
