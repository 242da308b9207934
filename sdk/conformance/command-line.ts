import { parseArgs } from 'node:util';
import { connectPlugin, connectVolumeDriver, noRetry } from '../client';
import { errorMessage } from '../errors';
import { runSuite } from './run';
import type { CaseResult } from './suite';
import { volumeDriverSuite } from './volume-driver';

const usage = `usage: gantry-conformance volume --socket PATH_OR_URL [options]

Judges a plugin, in whatever language it is written, and prints a line for each expectation.
It creates volumes of its own (names begin with "conformance_") and removes them again.

  --socket PATH_OR_URL   where the plugin listens: a path, or unix://, tcp://, http://, https://
  --option KEY=VALUE     an option volumes are created with; may be given several times
  --refused KEY=VALUE    an option the plugin must refuse; may be given several times
  --unreachable          mount points of the plugin are not directories of this machine
  --forgets-data         data may go with the last unmount
  --json                 print the results as JSON

Ends with 0 when nothing failed, 1 when something did, 2 when the plugin could not be judged.
`;

/** The command `gantry-conformance`. @returns the exit code */
export async function runCommandLine(
  args: readonly string[],
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const parsed = parse(args);
  if (typeof parsed === 'string') {
    print(`${parsed}${usage}`);
    return parsed === '' ? 0 : 2;
  }
  const client = connectPlugin({ name: parsed.socket, address: parsed.socket, retry: noRetry });
  try {
    const { implements: kinds } = await client.activate();
    if (!kinds.includes('VolumeDriver')) {
      print(`the plugin implements ${kinds.join(', ') || 'nothing'}, not VolumeDriver\n`);
      return 2;
    }
    const { socket: _socket, json, ...known } = parsed;
    const subject = { ...known, driver: connectVolumeDriver(client), client, tellsKinds: false };
    const results = await runSuite(
      volumeDriverSuite,
      subject,
      json ? undefined : (result) => print(`${line(result)}\n`),
    );
    print(json ? `${JSON.stringify(results.map(withoutError), null, 2)}\n` : summary(results));
    return results.some((result) => result.outcome === 'failed') ? 1 : 0;
  } catch (error) {
    print(`cannot judge the plugin: ${errorMessage(error)}\n`);
    return 2;
  } finally {
    client.close();
  }
}

function parse(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        socket: { type: 'string' },
        option: { type: 'string', multiple: true },
        refused: { type: 'string', multiple: true },
        unreachable: { type: 'boolean', default: false },
        'forgets-data': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return '';
    if (positionals.length !== 1 || positionals[0] !== 'volume') return 'name the kind of plugin: volume\n\n';
    if (values.socket === undefined) return '--socket is missing\n\n';
    return {
      socket: values.socket,
      options: pairs(values.option),
      refusedOptions: pairs(values.refused),
      reachable: !values.unreachable,
      keepsData: !values['forgets-data'],
      json: values.json,
    };
  } catch (error) {
    return `${errorMessage(error)}\n\n`;
  }
}

function pairs(list: readonly string[] | undefined): Record<string, string> | undefined {
  return list === undefined
    ? undefined
    : Object.fromEntries(
        list.map((pair) => {
          const at = pair.indexOf('=');
          if (at < 1) throw new Error(`"${pair}" is not of the form KEY=VALUE`);
          return [pair.slice(0, at), pair.slice(at + 1)];
        }),
      );
}

function line(result: CaseResult): string {
  const what = `${result.id}: ${result.title} (${result.rule})`;
  if (result.outcome === 'passed') return `passed   ${what}`;
  return `${result.outcome === 'failed' ? 'FAILED ' : 'skipped'}  ${what}\n         ${result.reason.replaceAll('\n', '\n         ')}`;
}

function summary(results: readonly CaseResult[]): string {
  const count = (outcome: CaseResult['outcome']) => results.filter((result) => result.outcome === outcome).length;
  return `\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`;
}

function withoutError(result: CaseResult): object {
  const { error: _error, ...rest } = result as CaseResult & { error?: unknown };
  return rest;
}
