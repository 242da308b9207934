import { execFile } from 'node:child_process';
import { conflict, errorMessage, invalidParameter, systemError } from '@gantry/sdk';
import type { Engine } from '../engine';
import { publish } from '../engine';
import { isAlive } from '../run/state';

const PS_MS = 10_000;

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

/**
 * Processes of a container, as the host's ps(1) shows them.
 *
 * @param psArgs empty = `-ef`
 * @throws conflict  it does not run
 * @see Docker Engine API, GET /containers/{id}/top
 */
export async function listProcesses(reference: string, psArgs: string, engine: Engine): Promise<ProcessTable> {
  const container = engine.index.get(reference);
  if (!isAlive(container.state) || !container.task) {
    if (container.state.status === 'restarting')
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    throw conflict(`container ${container.id} is not running`);
  }
  const args = (psArgs || '-ef').trim().split(/\s+/);
  // A renamed or second pid column could not be told from the one that is filtered by.
  if (args.some((arg) => /(^|,)(pid|tgid)=/i.test(arg)))
    throw invalidParameter('specifying a header for the pid column is not allowed');
  const pids = new Set(await container.task.pids());
  const table = selectProcesses(await runPs(args), pids);
  publish(engine, container, 'top');
  return table;
}

/** The rows of `ps` output whose pid is wanted. @throws system  there is no PID column */
export function selectProcesses(output: string, pids: ReadonlySet<number>): ProcessTable {
  const [header = '', ...lines] = output.split('\n').filter((line) => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw systemError("Couldn't find PID field in ps output");
  const processes: string[][] = [];
  for (const line of lines) {
    const fields = line.trim().split(/\s+/);
    if (!pids.has(Number(fields[pidColumn]))) continue;
    // The last column is the command, which may contain spaces.
    processes.push([...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(' ')]);
  }
  return { titles, processes };
}

function runPs(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ps', [...args], { timeout: PS_MS, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(systemError(`Error running ps: ${stderr.trim() || errorMessage(error)}`, error));
      else resolve(stdout);
    });
  });
}
