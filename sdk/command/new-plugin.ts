import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '../errors';
import { sdkVersion } from '../version';

/** What differs between projects of different kinds. */
interface ProjectKind {
  /** The key of `serve`'s drivers. */
  readonly servedAs: string;
  readonly capability: string;
  readonly suite: string;
  /** What a suite wants to know, as the text of an object. */
  readonly subject: string;
  /** How the plugin is judged from outside, after the socket. */
  readonly judgedWith: string;
  readonly use: string;
}

const kinds: Readonly<Record<string, ProjectKind>> = {
  volume: {
    servedAs: 'volume',
    capability: 'VolumeDriver1',
    suite: 'volumeDriverSuite',
    subject: "driver, refusedOptions: { colour: 'red' }, reachable: true, keepsData: true, tellsKinds: true",
    judgedWith: ' --refused colour=red',
    use: 'docker volume create -d NAME books',
  },
  network: {
    servedAs: 'network',
    capability: 'NetworkDriver1',
    suite: 'networkDriverSuite',
    subject: "driver, refusedOptions: { colour: 'red' }, tellsKinds: true",
    judgedWith: ' --refused colour=red',
    use: 'docker network create -d NAME --subnet 198.18.90.0/24 lane',
  },
  ipam: {
    servedAs: 'ipam',
    capability: 'IpamDriver1',
    suite: 'ipamDriverSuite',
    subject: 'driver, withoutIPv6: true',
    judgedWith: ' --without-ipv6',
    use: 'docker network create --ipam-driver NAME lane',
  },
  log: {
    servedAs: 'log',
    capability: 'LogDriver1',
    suite: 'logDriverSuite',
    subject: "driver, refusedOptions: { colour: 'red' }",
    judgedWith: ' --refused colour=red',
    use: 'docker run --log-driver NAME busybox echo hello',
  },
  authz: {
    servedAs: 'authorization',
    capability: 'Authz1',
    suite: 'authorizationSuite',
    subject: "plugin: driver, allowed: 'GET /v1.51/info', denied: 'DELETE /v1.51/volumes/x'",
    judgedWith: ' --allow "GET /v1.51/info" --deny "DELETE /v1.51/volumes/x"',
    use: 'gantryd --authorization-plugin NAME',
  },
  metrics: {
    servedAs: 'metrics',
    capability: 'MetricsCollector1',
    suite: 'metricsCollectorSuite',
    subject: 'collector: driver',
    judgedWith: '',
    use: 'METRICS_SOCKET=/run/docker/metrics.sock npm start',
  },
  secret: {
    servedAs: 'secret',
    capability: 'SecretProvider1',
    suite: 'secretProviderSuite',
    subject: 'provider: driver',
    judgedWith: '',
    use: 'docker secret create --driver NAME token',
  },
};

const usage = `usage: gantry-plugin new ${Object.keys(kinds).join('|')} [NAME] [--socket|--in-process]

Makes a folder NAME with a plugin that works, its tests and its package.json.

  --socket       a program that serves the plugin on a socket; the default
  --in-process   a module that the daemon loads
`;

/** The command `gantry-plugin new`. @returns the exit code */
export async function newPlugin(args: readonly string[], print: (text: string) => void): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        socket: { type: 'boolean', default: false },
        'in-process': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      print(usage);
      return 0;
    }
    const [kindName = '', name = `my-${kindName}`, ...more] = positionals;
    const kind = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
    if (kind === undefined) throw new Error(`name the kind of plugin: ${Object.keys(kinds).join(', ')}`);
    if (more.length > 0) throw new Error(`what is "${more.join(' ')}"? One name is enough`);
    if (!/^[a-z0-9][a-z0-9_.-]*$/.test(name))
      throw new Error(`"${name}" cannot be a plugin's name: letters a to z, digits, _ . -`);
    if (values.socket && values['in-process']) throw new Error('choose one of --socket and --in-process');
    const folder = resolve(name);
    await mkdir(folder, { recursive: true });
    if ((await readdir(folder)).length > 0) throw new Error(`${folder} is not empty`);
    const files = await projectFiles(kindName, kind, name, values['in-process']);
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
    print(`${name}/ holds ${Object.keys(files).join(', ')}; ${name}/README.md says how to go on\n`);
    return 0;
  } catch (error) {
    print(`${errorMessage(error)}\n\n${usage}`);
    return 2;
  }
}

async function projectFiles(
  kindName: string,
  kind: ProjectKind,
  name: string,
  inProcess: boolean,
): Promise<Record<string, string>> {
  const entry = inProcess ? 'plugin.js' : 'server.js';
  return {
    'package.json': `${JSON.stringify(
      {
        name,
        version: '1.0.0',
        private: true,
        main: entry,
        scripts: { ...(inProcess ? {} : { start: 'node server.js' }), test: 'node --test' },
        dependencies: { '@gantry/sdk': `^${sdkVersion}` },
      },
      null,
      2,
    )}\n`,
    'driver.js': await template(`${kindName}.js`),
    [entry]: filled(await template(`project/${entry}`), kind, name),
    'driver.test.js': filled(await template('project/driver-test.js'), kind, name),
    'README.md': readme(kindName, kind, name, inProcess),
  };
}

const template = (path: string): Promise<string> => readFile(join(__dirname, '../../templates', path), 'utf8');

function filled(text: string, kind: ProjectKind, name: string): string {
  const values: Readonly<Record<string, string>> = {
    NAME: name,
    SERVED_AS: kind.servedAs,
    CAPABILITY: kind.capability,
    SUITE: kind.suite,
    SUBJECT: `{ ${kind.subject} }`,
    SDK_VERSION: sdkVersion,
  };
  return text.replace(/__([A-Z_]+?)__/g, (_, key: string) => values[key]!);
}

function readme(kindName: string, kind: ProjectKind, name: string, inProcess: boolean): string {
  const use = kind.use.replaceAll('NAME', name);
  const run = inProcess
    ? `Name it in \`daemon.json\`, beside this folder:

\`\`\`json
{ "plugins": { "${name}": { "module": "./${name}" } } }
\`\`\`

With \`"isolation": "process"\` beside \`"module"\` the daemon runs it in a process of its own.
`
    : `\`\`\`console
# npm start
$ npx gantry-plugin test ${kindName} --socket /run/docker/plugins/${name}.sock${kind.judgedWith}
\`\`\`

The daemon finds it by the name of its socket. Another socket and folder: \`node server.js SOCKET FOLDER\`.
`;
  return `# ${name}

A ${kindName} plugin. \`driver.js\` is the work; \`npm test\` judges it by the rules of the protocol.

${run}
\`\`\`console
$ ${use}
\`\`\`
`;
}
