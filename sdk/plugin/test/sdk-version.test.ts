import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sdkVersion } from '../../version';

test('plugins are checked against the version of the package their authors install', () => {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string };
  expect(sdkVersion).toBe(version);
});
