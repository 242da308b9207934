import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeJournaldDriver } from '../journald-driver';

const program = ['/lib/systemd/systemd-journald', '/usr/lib/systemd/systemd-journald'].find((path) => existsSync(path));
const isPossible = program !== undefined && existsSync('/usr/bin/journalctl') && process.getuid?.() === 0;
if (!isPossible) console.log('skipped: the real journald needs systemd and root');

/** A journald of its own, which sees neither the machine's journal nor its configuration. */
const script = `
mount --make-rprivate / && mount -t tmpfs tmpfs "$1/systemd" && mkdir "$1/systemd/journal"
mkdir -p /run/systemd /run/log /etc/systemd
mount --bind "$1/systemd" /run/systemd && mount --bind "$1/log" /run/log && mount --bind "$1/etc" /etc/systemd
printf '[Journal]\\nStorage=volatile\\nRateLimitBurst=0\\nReadKMsg=no\\nForwardToSyslog=no\\nForwardToWall=no\\n' >/etc/systemd/journald.conf
exec ${program}
`;

(isPossible ? test : test.skip)(
  'the real journald has every line, in order, with the fields of its container',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gantry-real-journald-'));
    for (const name of ['systemd', 'log', 'etc']) mkdirSync(join(folder, name));
    const child = spawn('unshare', ['-m', 'sh', '-ec', script, 'sh', folder], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    try {
      const socket = `/proc/${child.pid}/root/run/systemd/journal/socket`;
      while (!existsSync(socket)) {
        if (child.exitCode !== null) throw new Error(`journald ended with ${child.exitCode}`);
        await pause(10);
      }
      const writer = await makeJournaldDriver(socket).open({
        containerId: 'c'.repeat(64),
        containerName: 'web',
        imageId: `sha256:${'b'.repeat(64)}`,
        imageName: 'busybox',
        entrypoint: 'sh',
        args: [],
        createdAt: new Date(0),
        env: [],
        labels: { team: 'blue' },
        logPath: '',
        options: { labels: 'team', tag: '{{.Name}}' },
      });
      const lines = Array.from({ length: 2000 }, (_, i) => `${i + 1}`);
      for (let at = 0; at < lines.length; at += 100) {
        const data = Buffer.from(`${lines.slice(at, at + 100).join('\n')}\n`);
        await writer.write({ source: 'stdout', timeNs: 1_704_164_645_123_456_789n, data });
      }
      await writer.close();
      const entries = await untilThere(join(folder, 'log/journal'), lines.length);
      expect(entries.map(({ MESSAGE }) => MESSAGE)).toEqual(lines);
      expect(entries[0]).toMatchObject({
        CONTAINER_ID: 'c'.repeat(12),
        CONTAINER_NAME: 'web',
        CONTAINER_TAG: 'web',
        SYSLOG_IDENTIFIER: 'web',
        IMAGE_NAME: 'busybox',
        PRIORITY: '6',
        TEAM: 'blue',
      });
    } finally {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    }
  },
  30_000,
);

async function untilThere(journal: string, count: number): Promise<Record<string, unknown>[]> {
  const args = ['-D', journal, '-o', 'json', 'CONTAINER_NAME=web'];
  for (;;) {
    const { stdout } = await promisify(execFile)('journalctl', args, { maxBuffer: 1 << 26 });
    const entries = stdout.split('\n').filter(Boolean);
    if (entries.length >= count) return entries.map((entry) => JSON.parse(entry));
    await pause(20);
  }
}
