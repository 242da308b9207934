import { definePlugin, integer, object, optional, string, VolumeDriver1 } from '@gantry/sdk';
import { openScratchVolumes } from './scratch-volumes';

export const plugin = definePlugin({
  name: 'scratch-volumes',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { scratch: VolumeDriver1 },
  config: object({
    /** Where the volumes are; the plugin's own state directory when absent. */
    root: optional(string({ pattern: /^\// })),
    maxVolumes: optional(integer({ min: 1 }), 100),
  }),
  async start({ config, stateDir, log }) {
    const root = config.root ?? stateDir;
    log.info('scratch volumes are ready', { root, maxVolumes: config.maxVolumes });
    return { scratch: await openScratchVolumes(root, config.maxVolumes) };
  },
});
