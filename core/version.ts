/** What the daemon says about its own build. The packaging may fill in the last two. */
export const daemonVersion = {
  /** The same as in package.json. */
  version: '0.1.0',
  gitCommit: process.env.GANTRY_GIT_COMMIT ?? '',
  buildTime: process.env.GANTRY_BUILD_TIME ?? '',
} as const;
