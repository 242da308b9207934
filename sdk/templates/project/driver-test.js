const { mkdtempSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const { declareTests, __SUITE__ } = require('@gantry/sdk/conformance');
const { openDriver } = require('./driver');

const opened = openDriver(mkdtempSync(join(tmpdir(), '__NAME__-')));
declareTests(test, __SUITE__, async () => {
  const driver = await opened;
  return __SUBJECT__;
});
