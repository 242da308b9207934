import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, unavailable } from '@gantry/sdk';
import { composeDaemon, coreCapabilities, tokens } from './compose';
import { readCommandLine } from './config/command-line';
import { toDaemonSettings } from './config/daemon-settings';
import { helpText } from './config/help-text';
import type { ConfigValues } from './config/known-keys';
import { ConfigurationError, renderProblem } from './config/problem';
import { type Configuration, readConfiguration } from './config/read-configuration';
import { bundledPlugins } from './kernel/loader/bundled-plugins';
import { createLog, type DaemonLog } from './log/create-logger';
import { planConfigured } from './process/daemon';
import { openDataRoot } from './process/data-root';
import { adjustOomScore } from './process/oom-score';
import { writePidFile } from './process/pid-file';
import { authorizationParticipant } from './process/reload/authorization-participant';
import { pluginHostParticipant, pluginSetJudge } from './process/reload/plugin-participants';
import { effectiveLevel, Reloader } from './process/reload/reloader';
import { stopSignals } from './process/stop-signals';
import { daemonVersion } from './version';

// A reader of our log that goes away (a restarted journal) must not take the daemon with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

async function main(args: readonly string[]): Promise<number> {
  const line = readCommandLine(args);
  if (line.help) {
    process.stdout.write(helpText());
    return 0;
  }
  if (line.version) {
    const { version, gitCommit } = daemonVersion;
    process.stdout.write(`Gantry version ${version}, build ${gitCommit || 'unknown'}\n`);
    return 0;
  }
  let configuration: Configuration;
  try {
    configuration = readConfiguration(line);
  } catch (error) {
    return complain(await withPluginProblems(error));
  }
  return line.validate ? validate(configuration) : run(configuration, () => readConfiguration(line));
}

/** The plugin set is judged as well, so that one look shows everything there is to repair. */
async function withPluginProblems(error: unknown): Promise<unknown> {
  if (!(error instanceof ConfigurationError) || error.exitCode !== 1) return error;
  try {
    await planConfigured({ configuration: error.partial as Configuration, bundled: bundledPlugins, coreCapabilities });
    return error;
  } catch (more) {
    if (!(more instanceof ConfigurationError)) throw more;
    return new ConfigurationError([...error.problems, ...more.problems]);
  }
}

/** Everything that can be judged without starting anything: the plugin set is loaded, and its graph and sections checked. */
async function validate(configuration: Configuration): Promise<number> {
  try {
    await planConfigured({ configuration, bundled: bundledPlugins, coreCapabilities });
  } catch (error) {
    return complain(error);
  }
  process.stderr.write('configuration OK\n');
  return 0;
}

async function run(configuration: Configuration, readAgain: () => Configuration): Promise<number> {
  const { values } = configuration;
  process.umask(0o022);
  const log = createLog(values['log-format'] as 'text' | 'json', effectiveLevel(values));
  dieLoudly(log);
  const stop = stopSignals(process, (signal, times) => {
    log.info('signal received', { signal, times });
    // The first asks, the second hurries, the third does not discuss.
    if (times >= 3) process.exit(1);
  });
  try {
    if (process.getuid?.() !== 0) throw unavailable('the daemon needs to be started with root privileges');
    log.info('starting up', { version: daemonVersion.version, pid: process.pid });
    await adjustOomScore(values['oom-score-adjust']);
    const removePidFile = await writePidFile(values.pidfile);
    try {
      const root = await openDataRoot(values['data-root']);
      try {
        const settingsOf = (values: ConfigValues) => ({
          ...toDaemonSettings(values, root.engineId),
          dataRoot: root.path,
        });
        const settings = settingsOf(values);
        const parts = composeDaemon({ configuration, settings, log });
        const daemon = parts.resolve(tokens.daemon);
        const reloader = new Reloader(values, {
          read: readAgain,
          settings,
          settingsOf,
          participants: [
            pluginSetJudge(({ wanted }) =>
              planConfigured({ configuration: wanted, bundled: bundledPlugins, coreCapabilities }),
            ),
            pluginHostParticipant(parts.resolve(tokens.plugins)),
            authorizationParticipant(parts.resolve(tokens.authorization)),
          ],
          events: parts.resolve(tokens.events),
          log,
        });
        process.on('SIGHUP', () => void reloader.reload());
        process.on('SIGUSR1', () => writeDiagnosticReport(settings.execRoot, log));
        try {
          // A first signal during the start waits for its end, so that it can be undone in order; a second one does not.
          await Promise.race([daemon.start(), stop.hurried]);
          log.info('daemon has completed initialization', { bootMs: Math.round(performance.now()) });
          await stop.requested;
        } finally {
          await Promise.race([daemon.stop(stopDeadlineMs(settings.shutdownTimeoutS)), stop.hurried]);
        }
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
  }
}

/**
 * dockerd dumps its stacks on SIGUSR1. Without a listener Node would open a debugger port to everybody on the machine.
 */
function writeDiagnosticReport(folder: string, log: DaemonLog): void {
  try {
    const path = join(folder, `report-${new Date().toISOString().replaceAll(':', '')}.json`);
    writeFileSync(path, JSON.stringify(process.report.getReport(), null, 2), { mode: 0o600 });
    log.info('diagnostic report written', { path });
  } catch (error) {
    log.error('the diagnostic report could not be written', { error });
  }
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

function complain(error: unknown): number {
  if (!(error instanceof ConfigurationError)) throw error;
  const usage = error.exitCode === 125 ? "See 'gantryd --help'.\n" : '';
  process.stderr.write(`${error.problems.map(renderProblem).join('\n')}\n${usage}`);
  return error.exitCode;
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exit(1);
  },
);
