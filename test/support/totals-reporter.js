const { writeFileSync } = require('node:fs');

/** A jest reporter that writes what was counted to the file named by GANTRY_TEST_TOTALS. */
module.exports = class TotalsReporter {
  onRunComplete(_contexts, results) {
    const path = process.env.GANTRY_TEST_TOTALS;
    if (!path) return;
    const counts = {
      passed: results.numPassedTests,
      // A file that does not even load counts as one failure.
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    writeFileSync(path, JSON.stringify(counts));
  }
};
