const { definePlugin, object, optional, string, __CAPABILITY__ } = require('@gantry/sdk');
const { openDriver } = require('./driver');

const name = '__NAME__';

exports.plugin = definePlugin({
  name,
  version: '1.0.0',
  engine: '^__SDK_VERSION__',
  provides: { [name]: __CAPABILITY__ },
  config: object({ root: optional(string({ pattern: /^\// })) }),
  async start({ config, stateDir }) {
    return { [name]: await openDriver(config.root ?? stateDir) };
  },
});
