import { type DaemonSettings, type EventBus, errorMessage } from '@gantry/sdk';
import { type ConfigDiff, diffConfig } from '../../config/diff';
import type { LogLevel } from '../../config/keys/process';
import type { ConfigValues } from '../../config/known-keys';
import { ConfigurationError, renderProblem } from '../../config/problem';
import type { Configuration } from '../../config/read-configuration';
import type { DaemonLog, LogFormat } from '../../log/create-logger';
import type { PreparedReload, ReloadParticipant } from './participant';
import { reloadEvent } from './reload-event';
import type { ReloadOutcome } from './reload-outcome';

export interface ReloadDeps {
  readonly read: () => Configuration;
  /** Changed in place: everybody else only reads it. */
  readonly settings: { -readonly [K in keyof DaemonSettings]: DaemonSettings[K] };
  readonly settingsOf: (values: ConfigValues) => DaemonSettings;
  readonly participants: readonly ReloadParticipant[];
  readonly events: EventBus;
  readonly log: DaemonLog;
}

/** Applies daemon.json again to a running daemon: all that can change live does, the rest is named. */
export class Reloader {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private current: ConfigValues,
    private readonly deps: ReloadDeps,
  ) {}

  /** Never rejects: a bad file is reported and changes nothing. One after the other, in the order of the calls. */
  reload(): Promise<ReloadOutcome> {
    const outcome = this.last.then(() => this.apply());
    this.last = outcome;
    return outcome;
  }

  private async apply(): Promise<ReloadOutcome> {
    const { log } = this.deps;
    const startedAtNs = process.hrtime.bigint();
    const prepared: PreparedReload[] = [];
    try {
      const wanted = this.withRunningChain(this.deps.read());
      const diff = diffConfig(this.current, wanted.values);
      // What needs a restart stays as it was, so that it is named again until it happens.
      const after = { ...this.current, ...Object.fromEntries(diff.live.map((name) => [name, wanted.values[name]])) };
      const settings = this.deps.settingsOf(after);
      const change = { before: this.current, after, wanted, changed: new Set<string>(diff.live), settings };
      for (const participant of this.deps.participants) {
        const coming = prepared.flatMap(({ brings }) => brings ?? []);
        const part = await participant.prepare(change, coming);
        if (part !== undefined) prepared.push(part);
      }
      return { startedAtNs, problems: [], ...this.commit(diff, after, settings, prepared) };
    } catch (error) {
      const problems = error instanceof ConfigurationError ? error.problems.map(renderProblem) : [errorMessage(error)];
      for (const problem of problems) log.error(`configuration not reloaded: ${problem}`);
      for (const part of prepared.reverse())
        await Promise.resolve(part.rollback?.()).catch((failure: unknown) =>
          log.warn('giving up a new configuration left something behind', { error: failure }),
        );
      return { startedAtNs, applied: [], needRestart: [], problems };
    }
  }

  /** From here on nothing waits and nothing is refused. */
  private commit(
    diff: ConfigDiff,
    after: ConfigValues,
    settings: DaemonSettings,
    prepared: readonly PreparedReload[],
  ): Pick<ReloadOutcome, 'applied' | 'needRestart'> {
    const { log, events } = this.deps;
    log.setLevel(effectiveLevel(after));
    if (diff.live.includes('log-format')) log.setFormat(after['log-format'] as LogFormat);
    Object.assign(this.deps.settings, settings);
    this.current = after;
    for (const part of prepared)
      try {
        part.commit();
      } catch (error) {
        log.error('a part of the daemon failed to put the new configuration in force', { error });
      }
    const applied = [...diff.live, ...prepared.flatMap((part) => part.applied ?? [])];
    const needRestart = [...diff.needRestart, ...prepared.flatMap((part) => part.needRestart ?? [])];
    for (const name of needRestart)
      log.warn(`"${name}" has changed in the configuration and needs a restart of the daemon`);
    log.info('configuration reloaded', { changed: applied.join(',') || 'nothing' });
    events.publish(reloadEvent(settings.engineId, after, settings.defaultCgroupnsMode));
    return { applied, needRestart };
  }

  /** A file that does not speak of the chain changes nothing: what guards the API must not fall by an omission. */
  private withRunningChain(wanted: Configuration): Configuration {
    const running = this.current['authorization-plugins'];
    if (wanted.origins.has('authorization-plugins')) return wanted;
    if (running.length > 0)
      this.deps.log.info('the configuration names no "authorization-plugins": the running ones stay', {
        plugins: running.join(','),
      });
    return { ...wanted, values: { ...wanted.values, 'authorization-plugins': running } };
  }
}

export const effectiveLevel = (values: ConfigValues): LogLevel =>
  values.debug ? 'debug' : (values['log-level'] as LogLevel);
