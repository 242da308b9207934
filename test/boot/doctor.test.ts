import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGantryd } from '../support/gantryd-command';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-doctor-'));
  writeFileSync(join(folder, 'daemon.json'), '{}');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const doctor = (...more: string[]) =>
  runGantryd(
    'doctor',
    `--config-file=${join(folder, 'daemon.json')}`,
    `--data-root=${join(folder, 'data')}`,
    `--pidfile=${join(folder, 'pid')}`,
    ...more,
  );

test('a machine that runs the tests has everything; the report groups and counts', async () => {
  const report = await doctor('-H', `unix://${folder}/free.sock`);
  expect(report).toMatchObject({ code: 0, complaints: '' });
  for (const group of ['Kernel', 'Control groups', 'Programs', 'Permissions', 'Storage', 'Network', 'Sockets'])
    expect(report.out).toContain(`\n${group}\n`.slice(group === 'Kernel' ? 1 : 0));
  expect(report.out).toMatch(/ok +runc +\d/);
  expect(report.out).toMatch(/\d+ ok, \d+ to look at, 0 missing\n$/);
});

test('what is missing ends with 1 and is told as JSON, with all mistakes of the configuration', async () => {
  const other = net.createServer((socket) => socket.destroy()).listen(join(folder, 'taken.sock'));
  writeFileSync(join(folder, 'daemon.json'), '{"lables": [], "mtu": "big"}');
  try {
    const report = await doctor('--json', '-H', `unix://${folder}/taken.sock`);
    expect(report.code).toBe(1);
    const findings = JSON.parse(report.out) as { group: string; state: string; found: string; advice?: string }[];
    const missing = findings.filter(({ state }) => state === 'missing');
    expect(missing.map(({ group }) => group).sort()).toEqual(['Configuration', 'Configuration', 'Sockets']);
    expect(missing.every(({ advice }) => advice !== undefined)).toBe(true);
  } finally {
    other.close();
  }
});

test('--validate and --print-config judge without starting', async () => {
  writeFileSync(join(folder, 'daemon.json'), '{\n  "plugins": {"volume-local": {"config": {"root": "/srv"}}}\n}');
  const flags = [`--config-file=${join(folder, 'daemon.json')}`];
  expect(await runGantryd('--validate', ...flags)).toEqual({ code: 0, out: '', complaints: 'configuration OK\n' });
  const printed = await runGantryd('--print-config', '--debug', ...flags);
  const { keys, plugins } = JSON.parse(printed.out);
  expect(keys.debug).toEqual({ value: true, origin: '--debug' });
  expect(plugins['volume-local']).toEqual({
    value: { root: '/srv' },
    origin: expect.stringMatching(/daemon\.json:2:32$/),
  });
  writeFileSync(join(folder, 'daemon.json'), '{"plugins": {"volume-local": {"config": {"rot": "/srv"}}}}');
  expect(await runGantryd('--print-config', ...flags)).toMatchObject({ code: 1, out: '' });
});
