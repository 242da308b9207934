const { TestEnvironment } = require('jest-environment-node');

/** Lets suite-wide teardown know that a test failed, so that logs are shown only then. */
module.exports = class E2eEnvironment extends TestEnvironment {
  handleTestEvent(event) {
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') this.global.gantryTestFailed = true;
  }
};
