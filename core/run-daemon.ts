import { constants } from 'node:os';
import { type DaemonSettings, errorMessage, unavailable } from '@gantry/sdk';
import { composeDaemon, coreCapabilities, tokens } from './compose';
import { toDaemonSettings } from './config/daemon-settings';
import type { ConfigValues } from './config/known-keys';
import { ConfigurationError, renderProblem } from './config/problem';
import { type Configuration, keysWithoutEffect } from './config/read-configuration';
import { bundledPlugins } from './kernel/loader/bundled-plugins';
import { createLog, type DaemonLog } from './log/create-logger';
import { planConfigured } from './process/daemon';
import { type DataRoot, openDataRoot } from './process/data-root';
import { writeDiagnosticReport } from './process/diagnostic-report';
import { adjustOomScore } from './process/oom-score';
import { writePidFile } from './process/pid-file';
import { authorizationParticipant } from './process/reload/authorization-participant';
import { writeOutcome } from './process/reload/outcome-file';
import { pluginHostParticipant } from './process/reload/plugin-participants';
import { pluginSetParticipant } from './process/reload/plugin-set-participant';
import { effectiveLevel, Reloader } from './process/reload/reloader';
import { type StopSignals, stopSignals } from './process/stop-signals';
import { ServiceNotifier, takeNotifyEnvironment } from './process/systemd/service-notifier';
import { daemonVersion } from './version';

/**
 * The daemon's life, from its configuration to its exit code.
 *
 * @param readAgain  for a reload: the same file and flags as now
 */
export async function runDaemon(configuration: Configuration, readAgain: () => Configuration): Promise<number> {
  const { values } = configuration;
  process.umask(0o022);
  const log = createLog(values['log-format'] as 'text' | 'json', effectiveLevel(values));
  dieLoudly(log);
  const hangups = collectHangups();
  const stop = stopSignals(process, (signal, times) => {
    log.info('signal received', { signal, times });
    // The first asks, the second hurries, the third does not discuss. Exit code as a shell tells it.
    if (times >= 3) process.exit(128 + constants.signals[signal]);
  });
  const notifier = new ServiceNotifier(takeNotifyEnvironment(), log);
  try {
    if (process.getuid?.() !== 0) throw unavailable('the daemon needs to be started with root privileges');
    log.info('starting up', { version: daemonVersion.version, pid: process.pid });
    for (const sentence of keysWithoutEffect(configuration)) log.warn(sentence);
    notifier.watch();
    notifier.working('Starting');
    await adjustOomScore(values['oom-score-adjust']);
    const removePidFile = await writePidFile(values.pidfile);
    try {
      const root = await openDataRoot(values['data-root'], log);
      try {
        await serve({ configuration, readAgain, root, stop, hangups, notifier, log });
      } finally {
        await root.close();
      }
    } finally {
      await removePidFile();
    }
    log.info('daemon has stopped');
    return 0;
  } catch (error) {
    if (error instanceof ConfigurationError) {
      for (const problem of error.problems) log.fatal(renderProblem(problem));
      return 1;
    }
    log.fatal(`failed to start daemon: ${errorMessage(error)}`, { error });
    return 1;
  } finally {
    notifier.close();
  }
}

interface Surroundings {
  readonly configuration: Configuration;
  readonly readAgain: () => Configuration;
  readonly root: DataRoot;
  readonly stop: StopSignals;
  readonly hangups: Hangups;
  readonly notifier: ServiceNotifier;
  readonly log: DaemonLog;
}

/** From an open data root until somebody wants the daemon to end, and the way back. */
async function serve({ configuration, readAgain, root, stop, hangups, notifier, log }: Surroundings): Promise<void> {
  const settingsOf = (values: ConfigValues): DaemonSettings => ({
    ...toDaemonSettings(values, root.engineId),
    dataRoot: root.path,
  });
  const settings = settingsOf(configuration.values);
  const parts = composeDaemon({ configuration, settings, log });
  const daemon = parts.resolve(tokens.daemon);
  const reloader = new Reloader(configuration.values, {
    read: readAgain,
    settings,
    settingsOf,
    participants: [
      pluginSetParticipant({
        plan: (wanted) => planConfigured({ configuration: wanted, bundled: bundledPlugins, coreCapabilities }),
        plugins: parts.resolve(tokens.plugins),
        remote: parts.resolve(tokens.remote),
        drivers: parts.resolve(tokens.drivers),
      }),
      pluginHostParticipant(parts.resolve(tokens.plugins)),
      authorizationParticipant(parts.resolve(tokens.authorization)),
    ],
    events: parts.resolve(tokens.events),
    log,
  });
  process.on('SIGUSR1', () => writeDiagnosticReport(settings.execRoot, log));
  try {
    // A first signal during the start waits for its end, so that it can be undone in order; a second one does not.
    await Promise.race([daemon.start(), stop.hurried]);
    log.info('daemon has completed initialization', { bootMs: Math.round(performance.now()) });
    notifier.ready('Serving');
    hangups.handle(async () => {
      notifier.reloading();
      const outcome = await reloader.reload();
      await writeOutcome(root.path, outcome).catch((error) =>
        log.error('the outcome of the reload could not be written down', { error }),
      );
      notifier.ready(outcome.problems.length > 0 ? 'Serving; the last reload was refused' : 'Serving');
    });
    await stop.requested;
  } finally {
    notifier.stopping('Stopping containers and plugins');
    await Promise.race([daemon.stop(stopDeadlineMs(settings.shutdownTimeoutS)), stop.hurried]);
  }
}

interface Hangups {
  /** Calls `reload` for each SIGHUP, and once for those that came before; one after the other. */
  handle(reload: () => Promise<void>): void;
}

/** Without a listener the first SIGHUP would end us; one that comes during the start waits for its end. */
function collectHangups(): Hangups {
  let last = Promise.resolve();
  let came = false;
  let onHangup = () => {
    came = true;
  };
  process.on('SIGHUP', () => onHangup());
  return {
    handle(reload) {
      onHangup = () => {
        last = last.then(reload);
      };
      if (came) onHangup();
    },
  };
}

/** Containers get `shutdown-timeout`; the rest of us needs a little more. */
function stopDeadlineMs(timeoutS: number): number {
  return timeoutS < 0 ? 2 ** 31 - 1 : (timeoutS + 10) * 1000;
}

/** A fault nobody expected leaves state in doubt: say so and end; the containers do not notice. */
function dieLoudly(log: DaemonLog): void {
  const die = (what: string) => (error: unknown) => {
    log.fatal(what, { error });
    process.exit(1);
  };
  // Node's own warnings become log lines like all others.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => log.warn(warning.message, { warning: warning.name }));
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));
}
