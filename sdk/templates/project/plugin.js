const { definePlugin, object, optional, string, __CAPABILITY__ } = require('@gantry/sdk');
const { openDriver } = require('./driver');

exports.plugin = definePlugin({
  name: '__NAME__',
  version: '1.0.0',
  engine: '^__SDK_VERSION__',
  provides: { __NAME__: __CAPABILITY__ },
  config: object({ root: optional(string({ pattern: /^\// })) }),
  async start({ config, stateDir }) {
    return { __NAME__: await openDriver(config.root ?? stateDir) };
  },
});
