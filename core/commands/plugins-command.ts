import { readCommandLine } from '../config/command-line';
import { ConfigurationError, renderProblem } from '../config/problem';
import { readConfiguration } from '../config/read-configuration';
import { readStates } from '../kernel/supervisor/state-file';
import type { PluginState } from '../kernel/supervisor/supervisor';
import { isDaemon } from '../process/pid-file';
import type { CommandOutput } from './command-output';

export const pluginsHelp = `
Usage:  gantryd plugins [--methods | --json] [OPTIONS]

Shows the plugins of the running daemon: what they provide, whether they answer, how often they were called.

Ends with 0 when all of them answer, 1 when one does not or no daemon runs.

Options:
      --methods   A line for each method that was called
      --json      The states as a JSON array
All options of the daemon are taken as well: they tell which daemon is meant.
`;

/** `gantryd plugins`. @returns the exit code */
export async function pluginsCommand(args: readonly string[], out: CommandOutput): Promise<number> {
  const line = readCommandLine(args.filter((word) => word !== '--json' && word !== '--methods'));
  if (line.help) {
    out.say(pluginsHelp);
    return 0;
  }
  if (line.problems.length > 0) {
    out.complain(`${line.problems.map(renderProblem).join('\n')}\nSee 'gantryd plugins --help'.\n`);
    return 125;
  }
  const execRoot = execRootOf(() => readConfiguration(line).values['exec-root']);
  const states = await readStates(execRoot);
  if (states === undefined || !(await isDaemon(states.pid))) {
    out.complain(`no daemon runs with the exec root ${execRoot}\n`);
    return 1;
  }
  if (args.includes('--json')) out.say(`${JSON.stringify(states.plugins, null, 2)}\n`);
  else out.say(args.includes('--methods') ? renderMethods(states.plugins) : renderStates(states.plugins));
  return states.plugins.some(({ state }) => state === 'not answering') ? 1 : 0;
}

/** A daemon that runs is not hidden by a file that was broken since. */
function execRootOf(read: () => string): string {
  try {
    return read();
  } catch (error) {
    const partial = error instanceof ConfigurationError ? (error.partial as { values?: unknown }) : undefined;
    const execRoot = (partial?.values as { 'exec-root'?: string } | undefined)?.['exec-root'];
    if (execRoot === undefined) throw error;
    return execRoot;
  }
}

/** A table for people; what went wrong is told below it. */
export function renderStates(states: readonly PluginState[], now = Date.now()): string {
  const header = [
    'PLUGIN',
    'DOOR',
    'STATE',
    'SINCE',
    'CALLS',
    'FAILED',
    'IN FLIGHT',
    'SLOWEST',
    'RESTARTS',
    'PROVIDES',
  ];
  const rows = states.map((it) => [
    it.name,
    it.door,
    it.state,
    it.state === 'skipped' ? '-' : age(now - Date.parse(it.since)),
    String(it.calls),
    String(it.failed),
    String(it.inFlight),
    it.calls === 0 ? '-' : `${it.slowestMs} ms`,
    String(it.restarts),
    it.provides.join(', ') || '-',
  ]);
  const lines = table([header, ...rows]);
  const troubled = states.filter(({ state, lastError }) => state !== 'running' && lastError !== undefined);
  const said = troubled.map(({ name, state, lastError }) => `${name} is ${state}: ${lastError}`);
  return `${[...lines, ...(said.length > 0 ? ['', ...said] : [])].join('\n')}\n`;
}

/** Who was asked for what, the slowest method of each plugin first. */
export function renderMethods(states: readonly PluginState[]): string {
  const rows = states.flatMap(({ name, methods }) =>
    [...methods]
      .sort((a, b) => b.slowestMs - a.slowestMs)
      .map(({ method, calls, failed, meanMs, slowestMs }) => [
        name,
        method,
        String(calls),
        String(failed),
        `${meanMs} ms`,
        `${slowestMs} ms`,
      ]),
  );
  return `${table([['PLUGIN', 'METHOD', 'CALLS', 'FAILED', 'MEAN', 'SLOWEST'], ...rows]).join('\n')}\n`;
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
