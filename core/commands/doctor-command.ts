import { coreCapabilities } from '../compose';
import { readCommandLine } from '../config/command-line';
import { ConfigurationError, renderProblem } from '../config/problem';
import { type Configuration, readConfiguration } from '../config/read-configuration';
import { examine } from '../doctor/examine';
import type { Finding } from '../doctor/finding';
import { type Machine, thisMachine } from '../doctor/machine';
import { bundledPlugins } from '../kernel/loader/bundled-plugins';
import { planConfigured } from '../process/daemon';
import { dockerdMark } from '../process/data-root';
import type { CommandOutput } from './command-output';
import { findDaemon } from './find-daemon';

export const doctorHelp = `
Usage:  gantryd doctor [--json] [OPTIONS]

Looks at the kernel, control groups, programs, permissions, disk, sockets and packet filter, and says
what containers would miss and how to get it. Changes nothing. Without root it sees less.

Ends with 0 when nothing is missing (there may be warnings), 1 when something is.

Options:
      --json   The findings as a JSON array: group, name, state (ok, warn, missing), found, advice
All options of the daemon are taken as well: the machine is judged for that configuration.
`;

/** `gantryd doctor`. @returns the exit code */
export async function doctorCommand(
  args: readonly string[],
  out: CommandOutput,
  machine: Machine = thisMachine(),
): Promise<number> {
  const line = readCommandLine(args.filter((word) => word !== '--json'));
  if (line.help) {
    out.say(doctorHelp);
    return 0;
  }
  if (line.problems.length > 0) {
    out.complain(`${line.problems.map(renderProblem).join('\n')}\nSee 'gantryd doctor --help'.\n`);
    return 125;
  }
  const { configuration, error } = await judged(() => readConfiguration(line));
  const { values } = configuration;
  const findings = await examine({
    machine,
    configuration,
    configurationError: error,
    ownPid: (await findDaemon(values.pidfile, values['data-root']))?.pid,
    foreignMark: await dockerdMark(values['data-root']),
  });
  out.say(args.includes('--json') ? `${JSON.stringify(findings, null, 2)}\n` : rendered(findings));
  return findings.some(({ state }) => state === 'missing') ? 1 : 0;
}

async function judged(
  read: () => Configuration,
): Promise<{ configuration: Configuration; error: ConfigurationError | undefined }> {
  try {
    const configuration = read();
    return { configuration, error: await planProblems(configuration) };
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error.partial === undefined) throw error;
    return { configuration: error.partial as Configuration, error };
  }
}

async function planProblems(configuration: Configuration): Promise<ConfigurationError | undefined> {
  try {
    await planConfigured({ configuration, bundled: bundledPlugins, coreCapabilities });
    return undefined;
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
}

function rendered(findings: readonly Finding[]): string {
  const nameWidth = Math.max(...findings.map(({ name }) => name.length));
  const lines: string[] = [];
  let group = '';
  for (const finding of findings) {
    if (finding.group !== group) lines.push(...(group === '' ? [] : ['']), finding.group);
    group = finding.group;
    lines.push(`  ${finding.state.padEnd(7)}  ${finding.name.padEnd(nameWidth)}  ${finding.found}`);
    if (finding.advice !== undefined) lines.push(`  ${' '.repeat(7)}  ${' '.repeat(nameWidth)}  -> ${finding.advice}`);
  }
  const count = (state: Finding['state']) => findings.filter((it) => it.state === state).length;
  lines.push('', `${count('ok')} ok, ${count('warn')} to look at, ${count('missing')} missing`);
  return `${lines.join('\n')}\n`;
}
