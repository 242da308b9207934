import { definePlugin, PluginRuntime1, Runtime1 } from '@gantry/sdk';
import { runtimeConfig } from './config';
import { openRuntimes } from './open-runtimes';

/** OCI runtimes behind containerd's shim: runc, crun and those of daemon.json's `runtimes`. */
export const plugin = definePlugin({
  name: 'runtime-runc',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { runc: Runtime1, crun: Runtime1, 'io.containerd.runc.v2': Runtime1, plugins: PluginRuntime1 },
  alsoProvides: Runtime1,
  config: runtimeConfig,
  async start({ config, settings, runDir, log, onStop, onReconfigure }) {
    const runtimes = await openRuntimes(settings, runDir, config['warm-shims'], log);
    onStop(runtimes);
    onReconfigure(({ changed, settings: next }) => (changed.has('runtimes') ? runtimes.reconfigure(next) : undefined));
    return { ...runtimes.byName, plugins: runtimes.forPlugins };
  },
});
