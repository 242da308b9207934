import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  connectJudgedPlugin,
  type JudgedPlugin,
  type ReportFormat,
  renderReport,
  renderResult,
  renderSummary,
  runSuite,
  type SampleRequest,
} from '../conformance';
import { errorMessage } from '../errors';
import { sdkVersion } from '../version';
import { judgedKinds } from './judged-kinds';

const usage = `usage: gantry-plugin test ${Object.keys(judgedKinds).join('|')} --socket PATH_OR_URL [options]

Judges a plugin, in whatever language it is written, and prints a line for each expectation. What fails is explained
with the rule of the Docker plugin protocol that is broken. Whatever it makes, it removes again.

  --socket PATH_OR_URL   where the plugin listens: a path, or unix://, tcp://, http://, https://
  --format FORMAT        text, json or markdown: the last two are reports to publish; --json is short for the first
  --timeout SECONDS      how long each answer may take; 10 when absent
  --cacert FILE, --cert FILE, --key FILE, --insecure
                         how an https plugin is trusted and how we show ourselves

What is known about the plugin:
  --option KEY=VALUE     an option things are made with; may be given several times
  --refused KEY=VALUE    an option the plugin must refuse; may be given several times
  --unreachable          volume: mount points are not directories of this machine
  --forgets-data         volume: data may go with the last unmount
  --subnet A.B.C         network, ipam: the first three numbers of a /24 to try things in
  --without-ipv6         network, ipam: there is no IPv6
  --allow "GET /path"    authz: a request that must pass
  --deny "POST /path"    authz: a request that must be refused
  --metrics-socket PATH  metrics: where the plugin looks for the metrics; some are served there
  --secret NAME          secret: a secret that the provider has

Ends with 0 when nothing failed, 1 when something did, 2 when the plugin could not be judged.
`;

/** The command `gantry-plugin test`. @returns the exit code */
export async function testPlugin(args: readonly string[], print: (text: string) => void): Promise<number> {
  let asked: ReturnType<typeof parse>;
  try {
    asked = parse(args);
  } catch (error) {
    print(`${errorMessage(error)}\n\n${usage}`);
    return 2;
  }
  if (asked === 'help') {
    print(usage);
    return 0;
  }
  const { kindName, kind, format, known } = asked;
  const fifoFolder = await mkdtemp(join(tmpdir(), 'gantry-plugin-'));
  let client: JudgedPlugin | undefined;
  try {
    client = connectJudgedPlugin(asked.connection);
    // What the handshake itself does wrong is judged like everything else.
    const kinds = await client.activate().then(
      (answer) => answer.implements,
      () => [],
    );
    const unreachable = client.breaches.find((breach) => breach.rule === 'P-CALL-5');
    if (unreachable !== undefined) {
      print(`cannot judge the plugin: ${errorMessage(unreachable)}\n`);
      return 2;
    }
    if (kinds.length > 0 && !kinds.some((it) => it.toLowerCase() === kind.implementsName.toLowerCase())) {
      print(`the plugin implements ${kinds.join(', ')}, not ${kind.implementsName}\n`);
      return 2;
    }
    const { suite, subject } = kind.judge(client, { ...known, fifoFolder });
    const judgedAt = new Date();
    const results = await runSuite(
      suite,
      subject,
      format === 'text' ? (result) => print(`${renderResult(result)}\n`) : undefined,
    );
    const plugin = asked.connection.address;
    const report = { kind: kindName, plugin, implements: kinds, sdk: sdkVersion, judgedAt, results };
    print(format === 'text' ? renderSummary(report) : renderReport(report, format));
    return results.some((result) => result.outcome === 'failed') ? 1 : 0;
  } catch (error) {
    print(`cannot judge the plugin: ${errorMessage(error)}\n`);
    return 2;
  } finally {
    client?.close();
    await rm(fifoFolder, { recursive: true, force: true });
  }
}

/** @throws Error  what is wrong with the arguments */
function parse(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      socket: { type: 'string' },
      format: { type: 'string' },
      json: { type: 'boolean', default: false },
      timeout: { type: 'string', default: '10' },
      cacert: { type: 'string' },
      cert: { type: 'string' },
      key: { type: 'string' },
      insecure: { type: 'boolean', default: false },
      option: { type: 'string', multiple: true },
      refused: { type: 'string', multiple: true },
      unreachable: { type: 'boolean', default: false },
      'forgets-data': { type: 'boolean', default: false },
      subnet: { type: 'string' },
      'without-ipv6': { type: 'boolean', default: false },
      allow: { type: 'string' },
      deny: { type: 'string' },
      'metrics-socket': { type: 'string' },
      secret: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const [kindName = '', ...more] = positionals;
  const kind = Object.hasOwn(judgedKinds, kindName) ? judgedKinds[kindName] : undefined;
  if (kind === undefined || more.length > 0)
    throw new Error(`name the kind of plugin: ${Object.keys(judgedKinds).join(', ')}`);
  if (values.socket === undefined) throw new Error('--socket is missing');
  const format = values.format ?? (values.json ? 'json' : 'text');
  if (!['text', 'json', 'markdown'].includes(format)) throw new Error(`--format ${format}: text, json or markdown`);
  const seconds = Number(values.timeout);
  if (!(seconds > 0 && seconds <= 3600)) throw new Error(`--timeout ${values.timeout}: a number of seconds`);
  if (values.subnet !== undefined && !/^(\d{1,3}\.){2}\d{1,3}$/.test(values.subnet))
    throw new Error(`--subnet ${values.subnet}: three numbers such as 198.18.77`);
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
  const tls = {
    ca: file(values.cacert),
    cert: file(values.cert),
    key: file(values.key),
    insecureSkipVerify: values.insecure,
  };
  return {
    kindName,
    kind,
    format: format as ReportFormat,
    connection: { address: values.socket, timeoutMs: seconds * 1000, tls },
    known: {
      options: pairs(values.option),
      refusedOptions: pairs(values.refused),
      unreachable: values.unreachable,
      forgetsData: values['forgets-data'],
      withoutIPv6: values['without-ipv6'],
      subnet: values.subnet,
      allowed: sample('--allow', values.allow),
      denied: sample('--deny', values.deny),
      metricsSocket: values['metrics-socket'],
      secret: values.secret,
    },
  };
}

function sample(flag: string, text: string | undefined): SampleRequest | undefined {
  if (text === undefined) return undefined;
  if (!/^[A-Z]+ \/\S*$/.test(text)) throw new Error(`${flag} "${text}": a method and a path, such as "GET /info"`);
  return text as SampleRequest;
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
