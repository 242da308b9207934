import { access, chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotLayout } from './layout';

const directories = ['dev', 'dev/pts', 'dev/shm', 'proc', 'sys', 'etc'];
const files = ['.dockerenv', 'etc/resolv.conf', 'etc/hosts', 'etc/hostname', 'dev/console'];
const modes: Readonly<Record<string, number>> = { 'dev/console': 0o755 };

/**
 * The lowest layer of every container: empty files and directories the runtime mounts over, so that they need not be
 * made in the container's own layer (which may be read-only, and whose changes users see). Lying below the image, it
 * supplies only what the image lacks.
 */
export async function ensureInitLayer(layout: SnapshotLayout): Promise<void> {
  const isThere = await access(layout.init).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const staged = join(layout.staging, 'init');
  await rm(staged, { recursive: true, force: true });
  const diff = join(staged, 'diff');
  await mkdir(diff, { recursive: true });
  await chmod(diff, 0o755);
  for (const name of directories) {
    await mkdir(join(diff, name));
    await chmod(join(diff, name), 0o755);
  }
  for (const name of files) {
    await writeFile(join(diff, name), '');
    await chmod(join(diff, name), modes[name] ?? 0o644);
  }
  await symlink('/proc/mounts', join(diff, 'etc/mtab'));
  await rename(staged, layout.init);
}
