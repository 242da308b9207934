import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

test('the report of what the SDK exports is up to date with the last build', () => {
  const script = resolve(__dirname, '../api-report.mjs');
  expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow();
});
