#!/usr/bin/env node
require('../dist/conformance/command-line.js')
  .runCommandLine(process.argv.slice(2))
  .then((code) => {
    process.exitCode = code;
  });
