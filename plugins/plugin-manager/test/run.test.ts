import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Logger } from '@gantry/sdk';
import { FakeClock } from '@gantry/sdk/testing';
import { parsePluginConfig } from '../config/plugin-config';
import { PluginOutput } from '../run/plugin-output';
import { hostPath } from '../run/plugin-paths';
import { RestartPause } from '../run/restart-pause';

test.each([
  ['/data/mounts/one', '/prop/one'],
  ['/data/mounts', '/prop'],
  ['/data/mounts-beside/one', '/root/data/mounts-beside/one'],
  ['/data/mounts/../../etc/shadow', '/root/etc/shadow'],
  ['/../../etc', '/root/etc'],
  ['', '/root/'],
])('the plugin’s path %s is %s on the host', async (path, host) => {
  const config = parsePluginConfig(Buffer.from('{"propagatedMount":"/data/mounts/"}'));
  expect(await hostPath(path, '/nowhere/root', '/nowhere/prop', config)).toBe(`/nowhere${host}`);
});

test('links of a plugin lead where they lead for the plugin, and never out of it (P-PROP-2)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-paths-'));
  try {
    const [root, propagated] = [join(folder, 'root'), join(folder, 'prop')];
    for (const path of ['root/data/mounts', 'root/etc', 'prop/one', 'prop/deep/er', 'root/srv'])
      mkdirSync(join(folder, path), { recursive: true });
    const link = (target: string, path: string) => symlinkSync(target, join(folder, path));
    link('/etc', 'prop/out');
    link('../../../../../../../../etc', 'prop/climbs');
    link('/', 'prop/top');
    link('/proc/1/root', 'prop/magic');
    link('/data/mounts/one', 'root/srv/back');
    link('deep/er', 'prop/near');
    link('b', 'prop/a');
    link('a', 'prop/b');
    const config = parsePluginConfig(Buffer.from('{"propagatedMount":"/data/mounts"}'));
    const at = (path: string) => hostPath(path, root, propagated, config);
    expect(await at('/data/mounts/out/shadow')).toBe(join(root, 'etc/shadow'));
    expect(await at('/data/mounts/climbs/shadow')).toBe(join(root, 'etc/shadow'));
    expect(await at('/data/mounts/top/data/mounts/one')).toBe(join(propagated, 'one'));
    expect(await at('/data/mounts/magic/etc')).toBe(join(root, 'proc/1/root/etc'));
    expect(await at('/srv/back/file')).toBe(join(propagated, 'one/file'));
    expect(await at('/data/mounts/near/..')).toBe(join(propagated, 'deep'));
    expect(await at('/data/mounts/not/there')).toBe(join(propagated, 'not/there'));
    await expect(at('/data/mounts/a/b')).rejects.toMatchObject({ kind: 'invalid-parameter' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a plugin that ends at once is started later and later, and one that ran well at once again', () => {
  const pause = new RestartPause(new FakeClock());
  expect([1, 2, 3, 4].map(() => pause.nextMs())).toEqual([100, 200, 400, 800]);
  for (let i = 0; i < 20; i++) pause.nextMs();
  expect(pause.nextMs()).toBe(30_000);
  pause.ran(3000);
  expect(pause.nextMs()).toBe(30_000);
  pause.ran(60_000);
  expect(pause.nextMs()).toBe(100);
});

test('what a plugin prints becomes lines of the log, however long and however cut', async () => {
  const lines: string[] = [];
  const say = (level: string) => (message: string, fields?: object) =>
    void lines.push(`${level} ${message.length > 50 ? message.length : message} ${JSON.stringify(fields)}`);
  const log = { info: say('info'), error: say('error') } as unknown as Logger;
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const output = new PluginOutput('id', log);
  output.follow({ stdout, stderr });
  stdout.write('one\r\ntw');
  stdout.write(Buffer.from('o \u00e4').subarray(0, 3));
  stdout.write(Buffer.from('\u00e4').subarray(1));
  stderr.write('\n\ncareful\n');
  stdout.write('x'.repeat(40_000));
  stdout.end('\nlast words');
  await new Promise((resolve) => stdout.once('close', resolve));
  const fields = '{"plugin":"id"}';
  expect(lines.filter((line) => line.startsWith('info'))).toEqual([
    `info one ${fields}`,
    `info 16384 ${fields}`,
    `info 16384 ${fields}`,
    `info 7237 ${fields}`,
    `info last words ${fields}`,
  ]);
  expect(lines).toContain(`error careful ${fields}`);
  expect(output.lastWords).toBe('last words');
});
