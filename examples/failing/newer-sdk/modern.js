const { definePlugin } = require('@gantry/sdk');

exports.plugin = definePlugin({
  name: 'modern',
  version: '1.0.0',
  engine: '^99.0.0',
  provides: {},
  start: () => ({}),
});
