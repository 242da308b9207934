import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonVersion } from '../version';

test('the daemon and its package have the same version', () => {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };
  expect(daemonVersion.version).toBe(version);
});
