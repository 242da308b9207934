#!/usr/bin/env node
// The pool must be sized before its first use: file and name look-ups of many containers wait in it side by side.
process.env.UV_THREADPOOL_SIZE ??= '16';
// Where Node can (22 and later), compiled code is kept beside the built code between starts.
require('node:module').enableCompileCache?.(require('node:path').join(__dirname, '../dist/.compile-cache'));
require('../dist/main.js');
