import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { testUnless } from '../support/test-unless';

const repository = resolve(__dirname, '../..');
const scripts = resolve(__dirname, '../support/real-systemd');
const drill = testUnless(
  !process.env.GANTRY_REAL_SYSTEMD && 'it takes a minute and a good part of the machine; GANTRY_REAL_SYSTEMD=1 runs it',
);

const files: Readonly<Record<string, string>> = {
  'etc/systemd/system/gantry-test.target': '[Unit]\nRequires=systemd-journald.service\nWants=gantry-test.service\n',
  'etc/systemd/system/gantry-test.service':
    '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nTimeoutStartSec=300\nExecStart=/bin/bash /inside.sh\n' +
    'StandardOutput=file:/seen\n',
  'usr/bin/gantryd': '#!/bin/sh\nexec node /opt/gantry/core/bin/gantryd.js "$@"\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
};

drill(
  'under a real systemd: activation, reload, a drop-in that empties ExecStart, the watchdog, the journal',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-real-systemd-'));
    const root = join(folder, 'root');
    const groups = makeGroups();
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
      for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name));
      const layers = `lowerdir=/,upperdir=${join(folder, 'upper')},workdir=${join(folder, 'work')}`;
      execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, root]);
      for (const [path, text] of Object.entries(files)) {
        rmSync(join(root, path), { force: true });
        writeFileSync(join(root, path), text, { mode: 0o755 });
      }
      const units = join(repository, 'core/setup/systemd');
      for (const name of readdirSync(units))
        writeFileSync(join(root, 'etc/systemd/system', name), readFileSync(join(units, name)));
      writeFileSync(join(root, 'inside.sh'), readFileSync(join(scripts, 'inside.sh')));
      // The machine's own may have been configured for another engine.
      rmSync(join(root, 'etc/docker'), { recursive: true, force: true });
      if (!/^docker:/m.test(readFileSync(join(root, 'etc/group'), 'utf8')))
        execFileSync('chroot', [root, 'groupadd', '--system', 'docker']);

      const enter = groups.map((group) => `echo $$ > ${group}/cgroup.procs`).join(' && ');
      const namespaces = ['--pid', '--mount', '--cgroup', '--uts', '--ipc', '--net', '--fork', '--kill-child'];
      const script = [join(scripts, 'namespace.sh'), folder, repository].join(' ');
      const machine = spawn('sh', ['-c', `${enter} && exec unshare ${namespaces.join(' ')} bash ${script}`], {
        stdio: 'ignore',
      });
      try {
        await eventually(
          'systemd to power off',
          () => machine.exitCode !== null || machine.signalCode !== null,
          200_000,
        );
      } finally {
        if (machine.exitCode === null) machine.kill('SIGKILL');
      }
      const seen = readFileSync(join(root, 'seen'), 'utf8').matchAll(/^([a-z-]+)=(.*)$/gm);
      expect(Object.fromEntries([...seen].map(([, name, value]) => [name, value]))).toEqual({
        activated: 'linux',
        status: 'Serving',
        reload: '0',
        labels: '[a=b]',
        refused: '1',
        'after-refusal': 'active',
        'drop-in': '0',
        command: 'node /opt/gantry/core/bin/gantryd.js --debug ',
        debug: 'true',
        restarted: '1',
        'after-restart': 'linux',
        stopped: 'success',
        'socket-stays': 'yes',
        'errors-in-journal': '1',
      });
    } finally {
      for (const mount of [root, folder]) execFileSync('sh', ['-c', `umount -l ${mount} 2>/dev/null || true`]);
      rmSync(folder, { recursive: true, force: true });
      for (const group of groups)
        execFileSync('sh', ['-c', `find ${group} -depth -type d -exec rmdir {} + 2>/dev/null || true`]);
    }
  },
  240_000,
);

/** A control group of its own in each hierarchy: systemd takes what it finds for all there is. */
function makeGroups(): string[] {
  const top = '/sys/fs/cgroup';
  const hierarchies = existsSync(join(top, 'cgroup.controllers'))
    ? [top]
    : ['systemd', 'memory', 'cpu', 'cpuset', 'pids', 'devices', 'freezer', 'blkio'].map((name) => join(top, name));
  return hierarchies.map((hierarchy) => {
    const group = join(hierarchy, `gantry-real-systemd-${process.pid}`);
    mkdirSync(group);
    if (hierarchy.endsWith('/cpuset'))
      for (const name of ['cpuset.cpus', 'cpuset.mems'])
        writeFileSync(join(group, name), readFileSync(join(hierarchy, name)));
    return group;
  });
}
