#!/usr/bin/env node
const { serve } = require('@gantry/sdk/serve');
const { openDriver } = require('./driver');

const [socketPath = '/run/docker/plugins/__NAME__.sock', root = '/var/lib/__NAME__'] = process.argv.slice(2);
openDriver(root)
  .then((driver) => serve({ drivers: { __SERVED_AS__: driver }, socketPath }))
  .then((served) => {
    console.log(`listening on ${served.address}`);
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => served.close().then(() => process.exit(0)));
  })
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
