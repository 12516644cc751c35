/** Two projects: `unit` (pure, beside the source) and `servers` (everything under test/ that needs a real server). */
const shared = {
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': '@swc/jest' },
  setupFiles: ['<rootDir>/test/support/property-seed.mjs'],
};

/** @type {import('jest').Config} */
export default {
  maxWorkers: 2, // a core each; the servers under test need theirs too
  workerIdleMemoryLimit: '1GB', // modules of former files are never let go (jestjs/jest#11956): collecting them takes longer each time
  testTimeout: 30_000, // a limit against hanging, not a measure of speed: machines are busy
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/src/**/*.spec.ts'] },
    {
      ...shared,
      displayName: 'servers',
      testMatch: ['<rootDir>/test/**/*.spec.ts'],
      globalSetup: '<rootDir>/test/support/global-setup.mjs',
      globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
    },
  ],
};
