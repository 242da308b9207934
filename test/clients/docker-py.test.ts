import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite();

const parts =
  'run errors exec attach wait life lists networks volumes images origins buildkit sidecar elsewhere events'.split(' ');

test.each(parts)('docker-py: %s', (part) => {
  const script = join(__dirname, 'docker_py.py');
  const ran = spawnSync('/usr/bin/python3', [script, daemon().host, part], { encoding: 'utf8', timeout: 60_000 });
  expect(`${ran.stdout}${ran.stderr}`).toBe(`${part}: fine\n`);
});
