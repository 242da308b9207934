import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { firewallSuite } from '../support/firewall-suite';

const daemon = firewallSuite('nftables');
const docker = (...args: string[]) => daemon().cli.ok(...args);
const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });

test('tables of others are not touched', async () => {
  const foreign = `foreign${process.pid}`;
  nft('add', 'table', 'inet', foreign);
  nft('add', 'chain', 'inet', foreign, 'c');
  nft('add', 'rule', 'inet', foreign, 'c', 'tcp', 'dport', '4242', 'counter');
  const before = nft('list', 'table', 'inet', foreign);
  await docker('network', 'create', 'busy');
  await docker('run', '--rm', '--network', 'busy', '-p', '80', 'busybox', 'true');
  await docker('network', 'rm', 'busy');
  expect(nft('list', 'table', 'inet', foreign)).toBe(before);
  nft('delete', 'table', 'inet', foreign);
});

test('a port that another process or container holds is refused in dockerd’s words', async () => {
  const blocker = createServer();
  await new Promise<void>((done) => blocker.listen(0, '0.0.0.0', done));
  const { port } = blocker.address() as { port: number };
  const taken = await daemon().cli.run(['run', '--rm', '-p', `${port}:80`, 'busybox', 'true']);
  expect(taken.code).toBe(125);
  expect(taken.stderr).toContain(`failed to bind host port 0.0.0.0:${port}/tcp: address already in use`);
  blocker.close();
  await docker('run', '-d', '--name', 'first', '-p', '80', 'busybox', 'sleep', '60');
  const held = Number((await docker('port', 'first', '80')).split('\n')[0]!.split(':').at(-1));
  const again = await daemon().cli.run(['run', '--rm', '-p', `${held}:80`, 'busybox', 'true']);
  expect(again.stderr).toContain(`Bind for 0.0.0.0:${held} failed: port is already allocated`);
  await docker('rm', '-f', 'first');
});
