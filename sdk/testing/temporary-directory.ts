import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Disposable } from '../lifecycle';

/** A directory of a test's own; `close` removes it with all that is in it. */
export async function temporaryDirectory(
  prefix = 'gantry-test-',
): Promise<Disposable & { readonly path: string; close(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return { path, close: () => rm(path, { recursive: true, force: true }) };
}
