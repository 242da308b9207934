const { capability, definePlugin } = require('@gantry/sdk');

exports.plugin = definePlugin({
  name: 'chicken',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { chicken: capability('chicken/v1') },
  requires: { egg: capability('egg/v1') },
  start: () => ({ chicken: {} }),
});
