import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { runGantryd } from '../support/gantryd-command';
import { ApiClient } from '../support/http-client';
import { ownPlace, ServiceManager } from '../support/service-manager';
import { rulesOf } from '../support/traces';

let folder: string;
let manager: ServiceManager;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-systemd-'));
  writeFileSync(join(folder, 'daemon.json'), '{}');
  manager = new ServiceManager(join(folder, 'notify'));
});
afterEach(async () => {
  await manager.close();
  expect(rulesOf(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

const flags = (...more: string[]) => [`--config-file=${join(folder, 'daemon.json')}`, ...ownPlace(folder), ...more];
const ping = async (socketPath: string) => (await new ApiClient(socketPath).get('/_ping')).text;

test('the whole life is told: ready, reload and its end, stop; with a watchdog that is fed', async () => {
  const socket = join(folder, 'docker.sock');
  await manager.start(flags('-H', `unix://${socket}`), { WATCHDOG_USEC: '900000' });
  await manager.hears('READY=1');
  expect(await ping(socket)).toBe('OK');

  const pings = () => manager.told.filter((message) => message === 'WATCHDOG=1').length;
  const before = pings();
  await eventually('three more pings of the watchdog', () => pings() >= before + 3);

  manager.told.length = 0;
  const askedUsec = process.hrtime.bigint() / 1000n;
  writeFileSync(join(folder, 'daemon.json'), '{"labels": ["a=b"]}');
  expect(await runGantryd('reload', '--pid', String(manager.pid))).toMatchObject({ code: 0, out: 'changed: labels\n' });
  await manager.hears('READY=1');
  const reloading = await manager.hears('RELOADING=1');
  expect(BigInt(/MONOTONIC_USEC=(\d+)/.exec(reloading)![1]!)).toBeGreaterThanOrEqual(askedUsec);
  expect(manager.told.indexOf(reloading)).toBeLessThan(manager.told.findIndex((it) => it.startsWith('READY=1')));

  process.kill(manager.pid, 'SIGTERM');
  expect(await manager.ended()).toBe(0);
  await eventually('STOPPING=1', () => manager.told.includes('STOPPING=1'));
});

test('the watchdog hears nothing from an event loop that does not turn', async () => {
  const stuck = join(folder, 'stuck.js');
  // A plugin that computes for two seconds in one go, some time after its start.
  writeFileSync(
    stuck,
    `exports.plugin = { name: 'stuck', version: '1.0.0', engine: '*', provides: {},
      start() { setTimeout(() => { const end = Date.now() + 2000; while (Date.now() < end); }, 1500).unref(); return {}; } };`,
  );
  writeFileSync(join(folder, 'daemon.json'), JSON.stringify({ plugins: { stuck: { module: stuck } } }));
  await manager.start(flags('-H', `unix://${folder}/docker.sock`), { WATCHDOG_USEC: '600000' });
  await manager.hears('READY=1');
  const gaps: number[] = [];
  let last = Date.now();
  let seen = manager.told.length;
  await eventually(
    'a silence longer than the watchdog allows',
    () => {
      if (manager.told.length > seen) {
        gaps.push(Date.now() - last);
        last = Date.now();
        seen = manager.told.length;
      }
      return gaps.some((gap) => gap > 1200);
    },
    15_000,
  );
});

test('sockets handed over are served with fd://, by their names too, and none but the daemon holds them', async () => {
  const [one, two] = [join(folder, 'one.sock'), join(folder, 'two.sock')];
  manager.listen(one, 'api');
  manager.listen(two, 'other');
  await manager.start(flags('-H', 'fd://api'));
  await manager.hears('READY=1');
  expect(await ping(one)).toBe('OK');
  const inodes = listenersOf(manager.pid);
  expect(inodes.length).toBeGreaterThan(0);
  for (const child of childrenOf(manager.pid))
    expect(listenersOf(child).filter((inode) => inodes.includes(inode))).toEqual([]);
  process.kill(manager.pid, 'SIGTERM');
  expect(await manager.ended()).toBe(0);
  // They are the service manager's: the next start gets them again.
  expect([existsSync(one), existsSync(two)]).toEqual([true, true]);
});

test('a command line without fd:// serves the socket that is handed over for its path', async () => {
  const socket = join(folder, 'docker.sock');
  manager.listen(socket, 'gantry.socket');
  await manager.start(flags('-H', `unix://${socket}`));
  await manager.hears('READY=1');
  expect(await ping(socket)).toBe('OK');
  process.kill(manager.pid, 'SIGTERM');
  expect(await manager.ended()).toBe(0);
  expect(existsSync(socket)).toBe(true);
});

test('fd:// without a service manager is refused with the reason', async () => {
  await manager.start(flags('-H', 'fd://'));
  expect(await manager.ended()).toBe(1);
  expect(manager.log).toContain('no sockets found via socket activation');
});

const units = resolve(__dirname, '../../core/setup/systemd');

test.each([[''], ['[Service]\nExecStart=\nExecStart=/usr/bin/gantryd --debug\n']])(
  'the units are sound for systemd, with the drop-in %j',
  (dropIn) => {
    for (const name of readdirSync(units)) {
      // The program of this machine instead of the one a package would install.
      const text = readFileSync(join(units, name), 'utf8').replaceAll('/usr/bin/gantryd', '/bin/true');
      writeFileSync(join(folder, name), text);
    }
    if (dropIn !== '') {
      execFileSync('mkdir', [join(folder, 'gantry.service.d')]);
      writeFileSync(join(folder, 'gantry.service.d/override.conf'), dropIn.replaceAll('/usr/bin/gantryd', '/bin/true'));
    }
    const verify = ['verify', join(folder, 'gantry.service'), join(folder, 'gantry.socket')];
    expect(execFileSync('sh', ['-c', 'systemd-analyze "$@" 2>&1', 'sh', ...verify], { encoding: 'utf8' })).toBe('');
  },
);

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

/** Inodes of the listening unix sockets a process holds. */
function listenersOf(pid: number): string[] {
  const listening = new Set(
    readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , flags]) => flags === '00010000')
      .map((columns) => columns[6]),
  );
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode !== undefined && listening.has(inode) ? [inode] : [];
  });
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
