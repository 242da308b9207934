const { existsSync } = require('node:fs');
const path = require('node:path');

const unit = {
  displayName: 'unit',
  rootDir: path.resolve(__dirname, '..'),
  testEnvironment: 'node',
  roots: ['core', 'sdk', 'plugins', 'examples', 'test/architecture']
    .filter((folder) => existsSync(path.resolve(__dirname, '..', folder)))
    .map((folder) => `<rootDir>/${folder}`),
  testMatch: ['**/*.test.ts'],
  modulePathIgnorePatterns: ['/dist/'],
  moduleNameMapper: {
    '^@gantry/sdk$': '<rootDir>/sdk/index.ts',
    '^@gantry/sdk/linux/(.*)$': '<rootDir>/sdk/linux/$1.ts',
    '^@gantry/sdk/(.*)$': '<rootDir>/sdk/$1/index.ts',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'commonjs', ignoreDynamic: true },
      },
    ],
  },
};

module.exports = {
  projects: [
    unit,
    {
      ...unit,
      displayName: 'e2e',
      testEnvironment: '<rootDir>/test/support/environment.js',
      roots: ['<rootDir>/test'],
      testPathIgnorePatterns: ['/test/architecture/'],
      globalSetup: '<rootDir>/test/support/sweep-stale.ts',
      setupFilesAfterEnv: ['<rootDir>/test/support/patience.ts'],
    },
  ],
};
