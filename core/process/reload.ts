import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { type DaemonSettings, type EventBus, errorMessage } from '@gantry/sdk';
import type { AuthorizationChain } from '../authz/authorization-chain';
import { diffConfig } from '../config/diff';
import type { LogLevel } from '../config/keys/process';
import type { ConfigValues } from '../config/known-keys';
import { ConfigurationError, renderProblem } from '../config/problem';
import type { Configuration } from '../config/read-configuration';
import type { DaemonLog } from '../log/create-logger';

export interface ReloadDeps {
  readonly read: () => Configuration;
  /** Changed in place: everybody else only reads it. */
  readonly settings: { -readonly [K in keyof DaemonSettings]: DaemonSettings[K] };
  readonly events: EventBus;
  readonly log: DaemonLog;
  readonly authorization: Pick<AuthorizationChain, 'names' | 'replace'>;
}

/** Applies daemon.json again to a running daemon: all that can change live does, the rest is named. */
export class Reloader {
  private last = Promise.resolve();

  constructor(
    private current: ConfigValues,
    private readonly deps: ReloadDeps,
  ) {}

  /** Never rejects: a bad file is reported and changes nothing. One after the other, in the order of the calls. */
  reload(): Promise<void> {
    this.last = this.last.then(() => this.apply());
    return this.last;
  }

  private async apply(): Promise<void> {
    const { log, settings, events } = this.deps;
    let after: ConfigValues;
    try {
      after = await this.withAuthorization(this.deps.read());
    } catch (error) {
      const problems = error instanceof ConfigurationError ? error.problems.map(renderProblem) : [errorMessage(error)];
      for (const problem of problems) log.error(`configuration not reloaded: ${problem}`);
      return;
    }
    const { live, needRestart } = diffConfig(this.current, after);
    log.setLevel(effectiveLevel(after));
    settings.debug = after.debug;
    settings.labels = after.labels;
    for (const name of needRestart)
      log.warn(`"${name}" has changed in the configuration and needs a restart of the daemon`);
    // What needs a restart stays as it was, so that it is named again until it happens.
    this.current = { ...this.current, ...Object.fromEntries(live.map((name) => [name, after[name]])) };
    log.info('configuration reloaded', { changed: live.join(',') || 'nothing' });
    events.publish({
      type: 'daemon',
      action: 'reload',
      actor: { id: settings.engineId, attributes: { name: hostname(), ...shownInEvent(this.current) } },
    });
  }

  /**
   * Puts the new chain of authorization plugins in place. A file that does not speak of it changes nothing: a chain
   * given by flags must not fall with the next reload.
   *
   * @throws system  one of them cannot be used
   */
  private async withAuthorization({ values, origins }: Configuration): Promise<ConfigValues> {
    const { authorization, log } = this.deps;
    if (!origins.has('authorization-plugins')) {
      if (authorization.names.length > 0)
        log.info('the configuration names no "authorization-plugins": the running ones stay', {
          plugins: authorization.names.join(','),
        });
      return { ...values, 'authorization-plugins': authorization.names };
    }
    if (!isDeepStrictEqual(values['authorization-plugins'], this.current['authorization-plugins']))
      await authorization.replace(values['authorization-plugins']);
    return values;
  }
}

export const effectiveLevel = (values: ConfigValues): LogLevel =>
  values.debug ? 'debug' : (values['log-level'] as LogLevel);

/** @see Docker Engine API, GET /events: attributes of the daemon's reload event */
function shownInEvent(values: ConfigValues): Record<string, string> {
  const listed = (items: readonly string[]) => JSON.stringify(items);
  return {
    'authorization-plugins': listed(values['authorization-plugins']),
    debug: String(values.debug),
    'default-ipc-mode': values['default-ipc-mode'],
    'default-runtime': values['default-runtime'],
    'default-shm-size': String(values['default-shm-size']),
    'insecure-registries': listed(values['insecure-registries']),
    labels: listed(values.labels),
    'live-restore': String(values['live-restore']),
    'max-concurrent-downloads': String(values['max-concurrent-downloads']),
    'max-concurrent-uploads': String(values['max-concurrent-uploads']),
    'max-download-attempts': String(values['max-download-attempts']),
    'registry-mirrors': listed(values['registry-mirrors']),
    'shutdown-timeout': String(values['shutdown-timeout']),
  };
}
