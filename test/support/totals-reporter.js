const { writeFileSync } = require('node:fs');

/** A jest reporter that writes what was counted, and what failed, to the file named by GANTRY_TEST_TOTALS. */
module.exports = class TotalsReporter {
  onRunComplete(_contexts, results) {
    const path = process.env.GANTRY_TEST_TOTALS;
    if (!path) return;
    const failures = results.testResults
      .filter((file) => file.numFailingTests > 0 || file.testExecError)
      .map((file) => ({
        path: file.testFilePath,
        passed: file.numPassingTests,
        skipped: file.numPendingTests + file.numTodoTests,
        // A file that does not even load counts as one failure.
        failed: Math.max(file.numFailingTests, 1),
        tests: file.testResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      }));
    const counts = {
      passed: results.numPassedTests,
      failed: failures.reduce((sum, { failed }) => sum + failed, 0),
      skipped: results.numPendingTests + results.numTodoTests,
      failures,
    };
    writeFileSync(path, JSON.stringify(counts));
  }
};
