import { join } from 'node:path';
import { definePlugin, VolumeDriver1 } from '@gantry/sdk';
import { localVolumesConfig } from './config';
import { openLocalVolumes } from './local-volumes';

export const plugin = definePlugin({
  name: 'volume-local',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { local: VolumeDriver1 },
  config: localVolumesConfig,
  async start({ config, settings, runDir, log }) {
    const root = config.root ?? join(settings.dataRoot, 'volumes');
    return { local: await openLocalVolumes({ root, runDir, log }) };
  },
});
