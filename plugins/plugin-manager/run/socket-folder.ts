import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** sun_path with its terminating zero. @see unix(7) */
const maximumPathBytes = 107;

/** The folder of a plugin's socket, held open while the plugin runs: its path may be too long for a socket's address. */
export class SocketFolder {
  private handle: FileHandle | undefined;

  constructor(private readonly path: string) {}

  /** Makes it, or lets it be. Repeatable. */
  async open(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    this.handle ??= await open(this.path, 'r');
  }

  /** Makes it empty: a socket of an earlier life would take nobody's connections. */
  async clear(): Promise<void> {
    await this.open();
    for (const name of await readdir(this.path)) await rm(join(this.path, name), { recursive: true, force: true });
  }

  /** The path by which the socket in it can be reached. */
  addressOf(file: string): string {
    const path = join(this.path, file);
    if (this.handle === undefined || Buffer.byteLength(path) <= maximumPathBytes) return path;
    return `/proc/self/fd/${this.handle.fd}/${file}`;
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { recursive: true, force: true });
  }
}
