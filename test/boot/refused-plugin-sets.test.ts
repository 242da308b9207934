import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const failing = join(root, 'examples/failing');

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** Runs the built daemon until it ends by itself. */
function runDaemon(args: readonly string[]): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(root, 'core/bin/gantryd.js'), ...args]);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`the daemon still runs: ${said}`));
    }, 60_000);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
      });
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ code, said: said.replaceAll('\\"', '"') });
    });
  });
}

/** What each folder of examples/failing must be told: places in the file, and reasons. */
const expectations: Readonly<Record<string, readonly string[]>> = {
  cycle: [
    'daemon.json:1:16 (/plugins/chicken)',
    'plugins need each other in a circle: "chicken" needs "egg" needs "chicken"',
  ],
  'missing-need': ['(/plugins/lonely)', 'it needs tape-library/v1 ("tape"), and no plugin provides that'],
  'misspelt-key': [
    'daemon.json:2:3 (/log-drivr)',
    'did you mean "log-driver"?',
    'daemon.json:4:35 (/plugins/volume-local/config/rot)',
    'did you mean "root"?',
  ],
  'missing-module': ['(/plugins/acme-nfs)', 'cannot find the module "@acme/no-such-package"'],
  'throws-at-import': ['(/plugins/grumpy)', 'failed while it was loaded: not today'],
  'newer-sdk': ['(/plugins/modern)', 'it needs the plugin SDK ^99.0.0'],
  'dead-socket': ['(/plugins/shelf/socket)', 'plugin "shelf"', 'cannot be reached'],
};

let folder: string;
let ownPlace: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-boot-'));
  ownPlace = [
    '--bridge=none',
    `--host=unix://${folder}/docker.sock`,
    `--data-root=${folder}/data`,
    `--exec-root=${folder}/exec`,
    `--pidfile=${folder}/pid`,
  ];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('every example of a failing set is expected here', () => {
  const folders = readdirSync(failing, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(expectations).sort());
});

test.each(Object.keys(expectations))('a set with %s does not start and says why', async (name) => {
  const { code, said } = await runDaemon([`--config-file=${join(failing, name, 'daemon.json')}`, ...ownPlace]);
  expect(code).toBe(1);
  for (const phrase of expectations[name]!) expect(said).toContain(phrase);
  // Neither a pidfile nor a socket stays behind.
  expect(readdirSync(folder).filter((entry) => entry !== 'data' && entry !== 'exec')).toEqual([]);
});

test.each(Object.keys(expectations).filter((name) => name !== 'dead-socket'))(
  '--validate finds a set with %s wrong without starting anything',
  async (name) => {
    const { code, said } = await runDaemon(['--validate', `--config-file=${join(failing, name, 'daemon.json')}`]);
    expect(code).toBe(1);
    for (const phrase of expectations[name]!) expect(said).toContain(phrase);
  },
);

test.each(readdirSync(join(root, 'examples/daemon-json')).filter((file) => file.endsWith('.json')))(
  'the example configuration %s is valid',
  async (file) => {
    const ended = await runDaemon(['--validate', `--config-file=${join(root, 'examples/daemon-json', file)}`]);
    expect(ended).toEqual({ code: 0, said: 'configuration OK\n' });
  },
);
