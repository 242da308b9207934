import { listenAddresses } from '../config/listen-addresses';
import { type ConfigurationError, renderProblem } from '../config/problem';
import type { Configuration } from '../config/read-configuration';
import { lookAtCgroups } from './cgroups';
import { type Finding, type Look, missing, ok } from './finding';
import { lookAtFirewall } from './firewall';
import { lookAtKernel } from './kernel';
import type { Machine } from './machine';
import { lookAtOtherEngines } from './other-engines';
import { lookAtPermissions } from './permissions';
import { lookAtPrograms } from './programs';
import { lookAtSockets } from './sockets';
import { lookAtStorage } from './storage';

export interface Patient {
  readonly machine: Machine;
  /** As far as it can be read. */
  readonly configuration: Configuration;
  readonly configurationError: ConfigurationError | undefined;
  /** The daemon of this configuration, when it runs. */
  readonly ownPid: number | undefined;
  /** A file of dockerd's below the data root, when that is its. */
  readonly foreignMark: string | undefined;
}

/** Looks at everything that containers need of a machine. Changes nothing. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const { machine, configuration, ownPid, foreignMark } = patient;
  const { values } = configuration;
  const places = { dataRoot: values['data-root'], execRoot: values['exec-root'], foreignMark };
  const groups: readonly (readonly [string, Promise<Look[]>])[] = [
    ['Kernel', lookAtKernel(machine)],
    ['Control groups', lookAtCgroups(machine)],
    ['Programs', lookAtPrograms(machine)],
    ['Permissions', lookAtPermissions(machine)],
    ['Storage', lookAtStorage(machine, places)],
    ['Network', lookAtFirewall(machine)],
    ['Neighbours', lookAtOtherEngines(machine, ownPid)],
    ['Sockets', lookAtSockets(listenAddresses(configuration), ownPid)],
    ['Configuration', Promise.resolve(lookAtConfiguration(patient))],
  ];
  const findings = await Promise.all(
    groups.map(async ([group, looks]) => (await looks).map((look) => ({ group, ...look }))),
  );
  return findings.flat();
}

function lookAtConfiguration({ configuration, configurationError }: Patient): Look[] {
  const file = configuration.file ?? 'no file, defaults only';
  if (configurationError === undefined) return [ok('daemon.json', file)];
  return configurationError.problems.map((problem) =>
    missing('daemon.json', renderProblem(problem), 'repair it; gantryd --validate judges it without starting'),
  );
}
