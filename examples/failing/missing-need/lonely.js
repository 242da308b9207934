const { capability, definePlugin } = require('@gantry/sdk');

exports.plugin = definePlugin({
  name: 'lonely',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: {},
  requires: { tape: capability('tape-library/v1') },
  start: () => ({}),
});
