import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { startDaemon } from '../support/daemon';
import { firewallSuite } from '../support/firewall-suite';

const daemon = firewallSuite('iptables');
const driverOf = async (one: ReturnType<typeof daemon>) =>
  (await one.api.get('/info')).json<{ FirewallBackend: { Driver: string } }>().FirewallBackend.Driver;

test('docker info names what the rules are written with', async () => {
  expect(await driverOf(daemon())).toBe('iptables');
});

test('where the program nft is missing iptables are used without being asked for', async () => {
  const programs = join(daemon().folder, 'without-nft');
  mkdirSync(programs);
  for (const folder of process.env.PATH!.split(delimiter).filter(existsSync))
    for (const name of readdirSync(folder))
      if (name !== 'nft' && !existsSync(join(programs, name))) symlinkSync(join(folder, name), join(programs, name));
  const other = await startDaemon({ env: { PATH: programs }, busybox: false });
  try {
    expect(await driverOf(other)).toBe('iptables');
    expect((await other.api.post('/networks/create', { Name: 'plain' })).status).toBe(201);
  } finally {
    expect(await other.dispose()).toEqual([]);
  }
});
