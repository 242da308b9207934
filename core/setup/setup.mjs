#!/usr/bin/env node
// Makes a fresh clone ready: Node, system packages, kernel, npm packages, build. Quick when there is nothing to do.
//
//   npm run setup                   for running the daemon
//   npm run setup -- --tests        for the tests as well
//   npm run setup -- --no-install   never call apt: say what is missing and end (or GANTRY_NO_INSTALL=1)
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, installDependencies } from './build.mjs';
import { kernelProblems } from './kernel.mjs';
import { describe, findProgram, installWithApt, manualCommands, missingPrograms } from './system-packages.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const oldestNode = 20;

const options = parse(process.argv.slice(2));
const startedAt = process.hrtime.bigint();
try {
  requireNode();
  requirePrograms(options);
  requireKernel();
  installDependencies(root);
  build(root);
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  console.log(
    `Ready: Node ${process.versions.node}, system packages, kernel and build are in place (${seconds.toFixed(1)} s).`,
  );
} catch (error) {
  console.error(`\nSet-up stopped: ${error.message}`);
  process.exitCode = 1;
}

function parse(args) {
  const known = { '--tests': 'tests', '--no-install': 'noInstall' };
  const parsed = { tests: false, noInstall: /^(1|true|yes)$/i.test(process.env.GANTRY_NO_INSTALL ?? '') };
  for (const arg of args) {
    if (!known[arg]) {
      console.error(`setup: unknown option ${arg}; there are ${Object.keys(known).join(' and ')}`);
      process.exit(2);
    }
    parsed[known[arg]] = true;
  }
  return parsed;
}

function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < oldestNode) throw new Error(`Node ${oldestNode} or newer is needed; this is ${process.version}.`);
}

function requirePrograms({ tests, noInstall }) {
  const purpose = tests ? 'test' : 'run';
  let missing = missingPrograms(purpose);
  if (missing.length === 0) return;
  const required = () => missing.filter((program) => program.required);

  const obstacle = noInstall
    ? 'installing is switched off'
    : process.getuid() !== 0
      ? 'installing packages needs root: run this as root (sudo npm run setup)'
      : !findProgram('apt-get')
        ? 'this system has no apt-get'
        : undefined;
  if (obstacle === undefined) {
    console.log('Installing system packages:');
    for (const program of missing) console.log(`  - ${describe(program)}`);
    installWithApt(missing);
    missing = missingPrograms(purpose);
  }
  for (const program of missing.filter((p) => !p.required)) console.warn(`Without ${describe(program)}`);
  if (required().length === 0) return;

  console.error('\nMissing:');
  for (const program of required()) console.error(`  - ${describe(program)}`);
  console.error('\nOn Debian or Ubuntu, as root:');
  for (const line of manualCommands(required())) console.error(`  ${line}`);
  throw new Error(obstacle ?? 'apt could not install everything that is needed.');
}

function requireKernel() {
  const asRoot = process.getuid() === 0;
  const problems = kernelProblems(asRoot);
  if (problems.length)
    throw new Error(`this kernel cannot run containers yet:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
}
