const { capability, definePlugin } = require('@gantry/sdk');

exports.plugin = definePlugin({
  name: 'egg',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { egg: capability('egg/v1') },
  requires: { chicken: capability('chicken/v1') },
  start: () => ({ egg: {} }),
});
