import type { PluginHost } from '../../kernel/lifecycle/plugin-host';
import type { ReloadParticipant } from './participant';

/** Lets the running plugins take over what they have copied or derived from settings. */
export function pluginHostParticipant(plugins: Pick<PluginHost, 'prepareChange'>): ReloadParticipant {
  return {
    prepare: ({ changed, settings }) => (changed.size === 0 ? undefined : plugins.prepareChange(settings, changed)),
  };
}
