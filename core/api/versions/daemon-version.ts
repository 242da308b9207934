/** What the daemon says about its own build. */
export interface DaemonVersion {
  /** Semver of the daemon, such as `0.1.0`. */
  readonly version: string;
  /** Commit it was built from, or an empty string. */
  readonly gitCommit: string;
  /** RFC 3339, or an empty string. */
  readonly buildTime: string;
}
