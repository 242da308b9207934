import type { DaemonSettings } from '@gantry/sdk';
import type { ConfigValues } from '../../config/known-keys';
import type { Configuration } from '../../config/read-configuration';

/** What a reload is about to change. */
export interface ReloadChange {
  readonly before: ConfigValues;
  /** As it will be in force: keys that need a restart have the value of `before`. */
  readonly after: ConfigValues;
  /** All that daemon.json and the flags say now, with the places for messages. */
  readonly wanted: Configuration;
  /** Keys whose values differ between `before` and `after`. */
  readonly changed: ReadonlySet<string>;
  /** The settings of plugins as they will be. */
  readonly settings: DaemonSettings;
}

/** A driver that a reload puts in place. */
export interface ComingDriver {
  readonly capabilityId: string;
  readonly name: string;
}

/** A part of a reload that can be made at once. */
export interface PreparedReload {
  /** Puts it in force, in one go with all others: neither waits nor fails. */
  commit(): void;
  /** Gives back what was acquired, because somebody else refused. */
  rollback?(): Promise<void> | void;
  /** Drivers that are there from the commit on. */
  readonly brings?: readonly ComingDriver[];
  /** What changes, for people, beyond the names of keys. */
  readonly applied?: readonly string[];
  /** What is wanted and does not change before a restart. */
  readonly needRestart?: readonly string[];
}

/** A part of the daemon that takes over changes while it runs. */
export interface ReloadParticipant {
  /**
   * Does everything that can fail, and changes nothing yet. Participants are asked in their order; the later ones are
   * not asked once one has refused.
   *
   * @param coming  drivers that earlier participants bring
   * @throws ConfigurationError, or any Error that says what to repair
   */
  prepare(
    change: ReloadChange,
    coming: readonly ComingDriver[],
  ): Promise<PreparedReload | undefined> | PreparedReload | undefined;
}
