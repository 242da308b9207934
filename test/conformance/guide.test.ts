import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installPackedSdk } from '../support/author-folder';
import { daemonForSuite } from '../support/daemon';
import { gantryd } from '../support/gantryd-command';
import { readGuide } from '../support/guide';
import { GuideReader } from '../support/guide-reader';

const env: Record<string, string> = {};

const author = mkdtempSync(join(tmpdir(), 'gantry-reader-'));
beforeAll(() => installPackedSdk(author), 60_000);
afterAll(() => rmSync(author, { recursive: true, force: true }));

/** Everything as on an author's machine: the packed SDK, `gantryd` and `npx` on the PATH. @returns what to put there */
function settle(folder: string): string {
  symlinkSync(join(author, 'node_modules'), join(folder, 'node_modules'));
  symlinkSync(join(__dirname, '../../examples'), join(folder, 'examples'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const program = (name: string, text: string) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const own = `[ "$1" = reload ] && set -- "$@" --pidfile '${join(folder, 'pid')}'`;
  program('gantryd', `${own}\nexec '${process.execPath}' '${gantryd}' "$@"`);
  // What npx does with an installed program, without asking npm first.
  program('npx', 'program=$1; shift; exec "./node_modules/.bin/$program" "$@"');
  return bin;
}

describe.each(['every-kind.md', 'first-plugin.md', 'api-routes.md'])('%s, followed to the letter', (page) => {
  let reader: GuideReader;
  // Before the daemon is disposed of, which looks for what was left.
  afterAll(() => reader?.end());
  const daemon = daemonForSuite({
    env,
    beforeStart: ({ execRoot }) => (env.METRICS_SOCKET = join(execRoot, 'metrics.sock')),
  });
  beforeAll(() => {
    reader = new GuideReader(daemon(), settle(daemon().folder));
  });

  const parts = readGuide(page);
  test.each(parts.map(({ title }) => title))(
    '%s',
    (title) => reader.follow(parts.find((part) => part.title === title)!),
    60_000,
  );
});

test('every kind the generator makes has its part', async () => {
  const bin = join(__dirname, '../../sdk/bin/gantry-plugin.js');
  const { stdout } = await promisify(execFile)(process.execPath, [bin, 'new', '--help']);
  const kinds = /new (\S+)/.exec(stdout)![1]!.split('|');
  const text = readFileSync(join(__dirname, '../../sdk/guide/every-kind.md'), 'utf8');
  for (const kind of kinds) {
    expect(text).toContain(`npx gantry-plugin new ${kind} `);
    expect(text).toContain(`npx gantry-plugin test ${kind} --socket `);
  }
});
