import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite();
const hasDockerPy = spawnSync('/usr/bin/python3', ['-c', 'import docker']).status === 0;
if (!hasDockerPy) process.stderr.write('skipped: docker-py is not installed (package python3-docker)\n');

const parts = ['run', 'errors', 'exec', 'attach', 'wait', 'life', 'lists', 'networks', 'volumes', 'images', 'events'];

(hasDockerPy ? test : test.skip).each(parts)('docker-py: %s', (part) => {
  const script = join(__dirname, 'docker_py.py');
  const ran = spawnSync('/usr/bin/python3', [script, daemon().host, part], { encoding: 'utf8', timeout: 60_000 });
  expect(`${ran.stdout}${ran.stderr}`).toBe(`${part}: fine\n`);
});
