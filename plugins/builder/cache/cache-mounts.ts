import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock, writeFileAtomically } from '@gantry/sdk';

export interface CacheMountRequest {
  readonly id: string;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** A directory held for one step. */
export interface HeldCacheMount {
  readonly path: string;
  readonly isNew: boolean;
  readonly release: () => void;
}

/** A directory that outlives builds. */
export interface StoredCacheMount {
  /** Folder's name. */
  readonly name: string;
  /** What the Dockerfile calls it. */
  readonly id: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly inUse: boolean;
}

/** Directories of `RUN --mount=type=cache`, kept between builds: `<name>/data` beside `<name>/info.json`. */
export class CacheMounts {
  private readonly users = new Map<string, number>();
  private readonly locks = new KeyedLock();

  private constructor(private readonly root: string) {}

  static async open(root: string): Promise<CacheMounts> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    return new CacheMounts(root);
  }

  /** Waits for its turn when the sharing is `locked`; takes another directory when it is `private` and in use. */
  async acquire(request: CacheMountRequest, signal: AbortSignal): Promise<HeldCacheMount> {
    for (let number = 0; ; number++) {
      const name = nameOf(request.id, number);
      if (request.sharing === 'private' && this.isUsed(name)) continue;
      if (request.sharing !== 'locked') return this.hold(name, request, () => {});
      return await new Promise((resolve, reject) => {
        const turn = this.locks.run(
          name,
          () =>
            new Promise<void>((free, fail) => {
              this.hold(name, request, free).then(resolve, (error) => {
                reject(error);
                fail(error);
              });
            }),
          signal,
        );
        turn.catch(reject);
      });
    }
  }

  async list(): Promise<StoredCacheMount[]> {
    const names = (await readdir(this.root)).filter((name) => /^[0-9a-f]{25}(-\d+)?$/.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const info = join(this.root, name, 'info.json');
        const text = await readFile(info, 'utf8').catch(() => undefined);
        if (text === undefined) return [];
        const { id, createdAt } = JSON.parse(text) as { id: string; createdAt: number };
        const lastUsedAt = (await stat(info)).mtimeMs;
        const sizeBytes = await directoryBytes(join(this.root, name, 'data'));
        return [{ name, id, sizeBytes, createdAt, lastUsedAt, inUse: this.isUsed(name) }];
      }),
    );
    return found.flat();
  }

  /** @returns false when a step uses it now */
  async remove(name: string): Promise<boolean> {
    if (this.isUsed(name)) return false;
    await rm(join(this.root, name), { recursive: true, force: true });
    return true;
  }

  private isUsed(name: string): boolean {
    return (this.users.get(name) ?? 0) > 0;
  }

  private async hold(name: string, request: CacheMountRequest, free: () => void): Promise<HeldCacheMount> {
    this.users.set(name, (this.users.get(name) ?? 0) + 1);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.users.set(name, (this.users.get(name) ?? 1) - 1);
      free();
    };
    try {
      const folder = join(this.root, name);
      const path = join(folder, 'data');
      const isNew = (await mkdir(path, { recursive: true, mode: 0o755 })) !== undefined;
      const info = join(folder, 'info.json');
      if (isNew) {
        await chmod(path, request.mode ?? 0o755);
        await chown(path, request.uid ?? 0, request.gid ?? 0);
        await writeFileAtomically(info, JSON.stringify({ id: request.id, createdAt: Date.now() }), { durable: false });
      } else await utimes(info, new Date(), new Date()).catch(() => undefined);
      return { path, isNew, release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

function nameOf(id: string, number: number): string {
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 25);
  return number === 0 ? hash : `${hash}-${number}`;
}

async function directoryBytes(path: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    const full = join(path, entry.name);
    if (entry.isDirectory()) total += await directoryBytes(full);
    else total += (await lstat(full).catch(() => undefined))?.size ?? 0;
  }
  return total;
}
