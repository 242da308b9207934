import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '@gantry/sdk';
import { type CommandLine, readCommandLine } from '../config/command-line';
import type { ConfigValues } from '../config/known-keys';
import { ConfigurationError, renderProblem } from '../config/problem';
import { readConfiguration } from '../config/read-configuration';
import { readOutcome } from '../process/reload/outcome-file';
import type { ReloadOutcome } from '../process/reload/reload-outcome';
import type { CommandOutput } from './command-output';
import { daemonOf, findDaemon, type RunningDaemon } from './find-daemon';

export const reloadHelp = `
Usage:  gantryd reload [OPTIONS]

Tells the running daemon to read its configuration again, and says what it did: which keys have
changed, which need a restart, or what is wrong with the file (then nothing has changed).

Ends with 0 when the configuration is in force, 1 when it was refused or no daemon was found.

Options, to find a daemon that does not run with the defaults:
      --pid int              Its process id
      --config-file string   Its configuration file, for the two paths below (default /etc/docker/daemon.json)
  -p, --pidfile string       Its pid file
      --data-root string     Its data root, when it has no pid file
`;

const patienceMs = 60_000;
const ownFlags = new Set(['pidfile', 'data-root']);

/** `gantryd reload`. @returns the exit code */
export async function reloadCommand(args: readonly string[], out: CommandOutput): Promise<number> {
  const { pid, rest } = takePid(args);
  const line = readCommandLine(rest);
  if (line.help) {
    out.say(reloadHelp);
    return 0;
  }
  const problems = usageProblems(line, pid);
  if (problems.length > 0) {
    out.complain(`${problems.join('\n')}\nSee 'gantryd reload --help'.\n`);
    return 125;
  }
  const values = valuesInSpiteOfMistakes(line);
  const daemon =
    pid === undefined ? await findDaemon(values.pidfile, values['data-root']) : await daemonOf(Number(pid));
  if (daemon === undefined) {
    const tried =
      pid === undefined
        ? `neither by the pid file ${values.pidfile || '(none)'} nor by the data root ${values['data-root']}`
        : `process ${pid} is none, or not ours to look at`;
    out.complain(
      `no running daemon found: ${tried}; name one with --pid, --pidfile, --data-root or --config-file, and be root\n`,
    );
    return 1;
  }
  try {
    return render(await askForReload(daemon), out);
  } catch (error) {
    out.complain(`${errorMessage(error)}\n`);
    return 1;
  }
}

/** `--pid` is no setting of the daemon, and unknown to its command line. */
function takePid(args: readonly string[]): { pid: string | undefined; rest: string[] } {
  const rest = [...args];
  const at = rest.findIndex((word) => word === '--pid' || word.startsWith('--pid='));
  if (at < 0) return { pid: undefined, rest };
  const [word] = rest.splice(at, 1);
  return { pid: word === '--pid' ? (rest.splice(at, 1)[0] ?? '') : word!.slice('--pid='.length), rest };
}

function usageProblems(line: CommandLine, pid: string | undefined): string[] {
  const foreign = [...line.texts.keys()].filter((name) => !ownFlags.has(name));
  const notHere = foreign.map((name) => `"gantryd reload" does not take "${name}": it is a setting of the daemon`);
  const badPid = pid === undefined || /^[1-9]\d*$/.test(pid) ? [] : [`invalid argument "${pid}" for "--pid"`];
  return [...line.problems.map(renderProblem), ...notHere, ...badPid];
}

/** A file with mistakes is what the daemon is to be asked about; where it runs can be read all the same. */
function valuesInSpiteOfMistakes(line: CommandLine): ConfigValues {
  try {
    return readConfiguration(line).values;
  } catch (error) {
    if (error instanceof ConfigurationError && error.partial !== undefined)
      return (error.partial as { values: ConfigValues }).values;
    throw error;
  }
}

/** @throws Error  the daemon cannot be reached, or does not answer */
async function askForReload({ pid, dataRoot }: RunningDaemon): Promise<ReloadOutcome> {
  const askedAtNs = process.hrtime.bigint();
  process.kill(pid, 'SIGHUP');
  for (const endsAt = Date.now() + patienceMs; Date.now() < endsAt; await sleep(20)) {
    const outcome = await readOutcome(dataRoot);
    // An older one may have read the file before it was what it is now.
    if (outcome !== undefined && outcome.startedAtNs >= askedAtNs) return outcome;
    try {
      process.kill(pid, 0);
    } catch {
      throw new Error(`the daemon with PID ${pid} has ended; see its log`);
    }
  }
  throw new Error(`the daemon with PID ${pid} has not answered within ${patienceMs / 1000} s; see its log`);
}

function render({ applied, needRestart, problems }: ReloadOutcome, out: CommandOutput): number {
  if (problems.length > 0) {
    out.complain(`${problems.join('\n')}\nnothing has changed: the daemon goes on with its old configuration\n`);
    return 1;
  }
  out.say(applied.length > 0 ? `changed: ${applied.join(', ')}\n` : 'nothing to change\n');
  if (needRestart.length > 0) out.say(`needs a restart of the daemon: ${needRestart.join(', ')}\n`);
  return 0;
}
