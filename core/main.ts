import { processOutput } from './commands/command-output';
import { coreCapabilities } from './compose';
import { readCommandLine } from './config/command-line';
import { helpText } from './config/help-text';
import { printConfiguration } from './config/print-configuration';
import { ConfigurationError, renderProblem } from './config/problem';
import { type Configuration, keysWithoutEffect, readConfiguration } from './config/read-configuration';
import { bundledPlugins } from './kernel/loader/bundled-plugins';
import { planConfigured } from './process/daemon';
import { runDaemon } from './run-daemon';
import { daemonVersion } from './version';

// A reader of our log that goes away (a restarted journal) must not take the daemon with it.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** Words in front of everything else that do something other than serving. Loaded when asked for: the daemon boots without. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  doctor: async (args) => (await import('./commands/doctor-command.js')).doctorCommand(args, processOutput),
  plugins: async (args) => (await import('./commands/plugins-command.js')).pluginsCommand(args, processOutput),
  reload: async (args) => (await import('./commands/reload-command.js')).reloadCommand(args, processOutput),
};

async function main(args: readonly string[]): Promise<number> {
  const command = Object.hasOwn(commands, args[0] ?? '') ? commands[args[0]!] : undefined;
  if (command !== undefined) return command(args.slice(1));
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
  return line.validate || line.printConfig
    ? validate(configuration, line.printConfig)
    : runDaemon(configuration, () => readConfiguration(line));
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
async function validate(configuration: Configuration, print: boolean): Promise<number> {
  try {
    const plan = await planConfigured({ configuration, bundled: bundledPlugins, coreCapabilities });
    if (print) process.stdout.write(printConfiguration(configuration, plan.plugins));
  } catch (error) {
    return complain(error);
  }
  for (const sentence of keysWithoutEffect(configuration)) process.stderr.write(`${sentence}\n`);
  process.stderr.write('configuration OK\n');
  return 0;
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
