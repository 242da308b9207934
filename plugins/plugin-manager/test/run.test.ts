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
])('the plugin’s path %s is %s on the host', (path, host) => {
  const config = parsePluginConfig(Buffer.from('{"propagatedMount":"/data/mounts/"}'));
  expect(hostPath(path, '/root', '/prop', config)).toBe(host);
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
