import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite({ config: { 'storage-driver': 'vfs' }, tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

test('containers run on plain copies: written, compared, committed and saved as on any driver', async () => {
  expect(await docker('info', '--format', '{{.Driver}}')).toBe('vfs');
  await docker('run', '--name', 'box', 'busybox', 'sh', '-c', 'echo hi > /new; rm /etc/group; chmod 700 /root');
  expect(await docker('inspect', '--format', '{{.Driver}} {{.GraphDriver.Data}}', 'box')).toBe('vfs map[]');
  expect((await docker('diff', 'box')).split('\n')).toEqual(['C /etc', 'D /etc/group', 'A /new', 'C /root']);
  expect(await docker('ps', '-as', '--filter', 'name=box', '--format', '{{.Size}}')).toMatch(/^3B \(virtual /);
  await docker('commit', 'box', 'changed:1');
  const look = ['run', '--rm', 'changed:1', 'sh', '-c', 'cat /new; ls /etc/group 2>&1; stat -c %a /root'];
  const seen = 'hi\nls: /etc/group: No such file or directory\n700';
  expect(await docker(...look)).toBe(seen);
  const archive = join(daemon().folder, 'changed.tar');
  await docker('save', '-o', archive, 'changed:1');
  await docker('rmi', 'changed:1');
  await docker('load', '-i', archive);
  expect(await docker(...look)).toBe(seen);
  await docker('rmi', 'changed:1');
});

test('another driver has images of its own; a container of the first waits for its driver to come back', async () => {
  await docker('create', '--name', 'waits', 'busybox', 'echo', 'still here');
  await daemon().stop();
  daemon().changeConfig({ 'storage-driver': 'overlay2' });
  await daemon().start();
  expect(await docker('images', '-q')).toBe('');
  expect(await docker('info', '--format', '{{.Driver}}')).toBe('overlay2');
  const refused = await daemon().cli.run(['start', 'waits']);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('storage driver "overlay2"');
  await daemon().stop();
  daemon().changeConfig({ 'storage-driver': 'vfs' });
  await daemon().start();
  expect(await docker('start', '-a', 'waits')).toBe('still here');
});
