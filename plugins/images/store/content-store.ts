import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError, writeFileAtomically } from '@gantry/sdk';
import { sha256 } from './digests';

/** Small blobs (image configs and manifests) by digest. */
export class ContentStore {
  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<ContentStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new ContentStore(folder);
  }

  /** Durable before it returns. Repeatable. */
  async put(content: Buffer): Promise<string> {
    const digest = sha256(content);
    await writeFileAtomically(this.path(digest), content);
    return digest;
  }

  /** Undefined when absent. @throws system  the content does not match its digest */
  async get(digest: string): Promise<Buffer | undefined> {
    let content: Buffer;
    try {
      content = await readFile(this.path(digest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    if (sha256(content) !== digest) throw systemError(`blob ${digest} is damaged on disk`);
    return content;
  }

  async remove(digest: string): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  /** Removes every blob that is not wanted. Only while nothing is being added. */
  async keepOnly(wanted: ReadonlySet<string>): Promise<void> {
    const names = new Set([...wanted].map((digest) => digest.replace(':', '-')));
    for (const name of await readdir(this.folder))
      if (!names.has(name)) await rm(join(this.folder, name), { force: true });
  }

  private path(digest: string): string {
    return join(this.folder, digest.replace(':', '-'));
  }
}
