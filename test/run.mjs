// Every test: the unit tests, then the end-to-end tests. Closes with one line that adds both up.
//
//   npm test                        everything
//   npm test -- test/cli            only files whose path matches (any jest argument will do)
//
// A few failed files are run once more, alone. What passes then is named as unsteady in the summary: it depends on
// timing or on its neighbours, which is a defect of the test or of the code to look into, though not a broken build.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST_FILES_TO_REPEAT = 4;

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'gantry-tests-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
const unsteady = [];

// End-to-end suites share the machine's kernel: one at a time, each with daemons of its own.
for (const [project, ...flags] of [
  ['unit', '--maxWorkers=2'],
  ['e2e', '--runInBand'],
]) {
  console.log(`\n=== ${project} tests ===`);
  const first = jest(project, [...flags, ...process.argv.slice(2)]);
  for (const key of Object.keys(totals)) totals[key] += first[key];
  if (first.failures.length === 0 || first.failures.length > MOST_FILES_TO_REPEAT) continue;

  console.log(`\n=== ${project} tests that failed, once more ===`);
  const second = jest(project, ['--runInBand', '--runTestsByPath', ...first.failures.map(({ path }) => path)]);
  for (const file of first.failures) {
    if (second.broken || second.failures.some(({ path }) => path === file.path)) continue;
    totals.failed -= file.failed;
    totals.passed += file.failed;
    const name = relative(root, file.path);
    unsteady.push(...(file.tests.length > 0 ? file.tests.map((test) => `${name}: ${test}`) : [name]));
  }
}
rmSync(scratch, { recursive: true, force: true });
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;

console.log('');
for (const test of unsteady) console.log(`unsteady (failed, then passed alone): ${test}`);
const counted = [`${totals.passed} passed`, `${totals.failed} failed`];
if (totals.skipped > 0) counted.push(`${totals.skipped} skipped`);
if (unsteady.length > 0) counted.push(`${unsteady.length} unsteady`);
console.log(counted.join(', '));

/** Runs one jest project. `broken`: it ended without naming a failed test, and must not look like a success. */
function jest(project, args) {
  const counts = join(scratch, `${project}.json`);
  rmSync(counts, { force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      ...['-c', 'test/jest.config.js', '--selectProjects', project, '--passWithNoTests'],
      ...['--reporters=default', `--reporters=${join(root, 'test/support/totals-reporter.js')}`],
      ...args,
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, GANTRY_TEST_TOTALS: counts } },
  );
  const counted = readCounts(counts);
  const broken = status !== 0 && counted.failed === 0;
  return { ...counted, failed: broken ? 1 : counted.failed, broken };
}

function readCounts(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // jest ended before it could report; its exit code says so.
    return { passed: 0, failed: 0, skipped: 0, failures: [] };
  }
}
