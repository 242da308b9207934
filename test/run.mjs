// Every test: the unit tests, then the end-to-end tests. Closes with one line that adds both up.
//
//   npm test                        everything
//   npm test -- test/cli            only files whose path matches (any jest argument will do)
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'gantry-tests-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
let failedRuns = 0;

// End-to-end suites share the machine's kernel: one at a time, each with daemons of its own.
for (const [project, ...flags] of [
  ['unit', '--maxWorkers=2'],
  ['e2e', '--runInBand'],
]) {
  const counts = join(scratch, `${project}.json`);
  console.log(`\n=== ${project} tests ===`);
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const reporters = ['--reporters=default', `--reporters=${join(root, 'test/support/totals-reporter.js')}`];
  const args = [
    jest,
    '-c',
    'test/jest.config.js',
    '--selectProjects',
    project,
    '--passWithNoTests',
    ...flags,
    ...reporters,
  ];
  const { status } = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, GANTRY_TEST_TOTALS: counts },
  });
  if (status !== 0) failedRuns++;
  add(counts);
}
rmSync(scratch, { recursive: true, force: true });
// A run that broke off without naming a failed test must not look like a success.
if (failedRuns > 0 && totals.failed === 0) totals.failed = failedRuns;
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;
console.log(`\n${totals.passed} passed, ${totals.failed} failed${totals.skipped ? `, ${totals.skipped} skipped` : ''}`);

function add(path) {
  try {
    const counted = JSON.parse(readFileSync(path, 'utf8'));
    for (const key of Object.keys(totals)) totals[key] += counted[key];
  } catch {
    // jest ended before it could report; its exit code says so.
  }
}
