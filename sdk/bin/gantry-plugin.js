#!/usr/bin/env node
require('../dist/command/index.js')
  .runCommandLine(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
