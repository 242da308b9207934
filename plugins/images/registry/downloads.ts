import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cancelled, errorKind, errorMessage, systemError } from '@gantry/sdk';
import { wrongContent } from '../transfer/receive-blob';
import { RegistryError } from './registry-error';
import { Semaphore } from './semaphore';

/** Fetches a blob into a file, from where the file ends. @returns digest of what the file holds then */
export type BlobFetch = (
  blob: { readonly digest: string; readonly size: number },
  path: string,
  onMoved: (bytes: number) => void,
  signal: AbortSignal,
) => Promise<string>;

export interface DownloadListener {
  waiting?(): void;
  moved?(current: number, total: number): void;
  retrying?(seconds: number): void;
  verifying?(): void;
}

/** A finished blob on disk. */
export interface Download {
  readonly path: string;
  /** Not needed any more. @param options.keep leave the blob for the next who asks for it */
  release(options?: { readonly keep?: boolean }): Promise<void>;
}

interface Transfer {
  readonly controller: AbortController;
  readonly listeners: Set<DownloadListener>;
  readonly done: Promise<void>;
  users: number;
}

const keepPartialMs = 24 * 3600 * 1000;
/** A registry that wants to be left alone for longer ends the pull: its user is told when to come back. */
const longestWaitS = 60;

/**
 * Blobs on their way in. Two who want one blob share one transfer; what a broken or cancelled transfer has
 * received stays for a day and is continued by the next.
 */
export class Downloads {
  private readonly transfers = new Map<string, Transfer>();
  private readonly slots: Semaphore;

  private constructor(
    private readonly folder: string,
    concurrency: number,
    private maximumAttempts: number,
  ) {
    this.slots = new Semaphore(concurrency);
  }

  static async open(folder: string, concurrency: number, maximumAttempts: number): Promise<Downloads> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const { mtimeMs } = await stat(join(folder, name));
      if (Date.now() - mtimeMs > keepPartialMs) await rm(join(folder, name), { force: true });
    }
    return new Downloads(folder, concurrency, maximumAttempts);
  }

  /** Other limits for what begins or waits; what runs goes on. */
  limit(concurrency: number, maximumAttempts: number): void {
    this.slots.resize(concurrency);
    this.maximumAttempts = maximumAttempts;
  }

  /** Deletes what earlier attempts have left. @param digests default: of all blobs. @returns bytes freed */
  async discard(digests?: readonly string[]): Promise<number> {
    const names = digests?.map(fileName) ?? (await readdir(this.folder));
    const busy = new Set([...this.transfers.keys()].map(fileName));
    let freed = 0;
    for (const name of names) {
      const path = join(this.folder, name);
      const found = busy.has(name) ? undefined : await stat(path).catch(() => undefined);
      if (found === undefined) continue;
      await rm(path, { force: true });
      freed += found.size;
    }
    return freed;
  }

  /**
   * @param size bytes the manifest promises; more or fewer are refused
   * @throws system  the registry failed more often than allowed, or content and digest differ
   * @throws cancelled  the signal aborted; the transfer goes on if others want it
   */
  async get(
    blob: { readonly digest: string; readonly size: number },
    fetch: BlobFetch,
    listener: DownloadListener,
    signal: AbortSignal,
  ): Promise<Download> {
    if (!blob.digest.startsWith('sha256:')) throw systemError(`blob ${blob.digest}: only sha256 digests are supported`);
    let transfer = this.transfers.get(blob.digest);
    if (transfer === undefined) {
      transfer = this.begin(blob, fetch);
      this.transfers.set(blob.digest, transfer);
    }
    const shared = transfer;
    shared.users++;
    shared.listeners.add(listener);
    const path = this.path(blob.digest);
    const release = async ({ keep = false } = {}) => {
      shared.listeners.delete(listener);
      if (--shared.users > 0) return;
      if (this.transfers.get(blob.digest) === shared) this.transfers.delete(blob.digest);
      shared.controller.abort(cancelled(`download of ${blob.digest} was cancelled`));
      const whole = await shared.done.then(
        () => true,
        () => false,
      );
      if (whole && !keep && !this.transfers.has(blob.digest)) await rm(path, { force: true });
    };
    try {
      await Promise.race([shared.done, rejectOn(signal)]);
    } catch (error) {
      await release({ keep: true });
      throw error;
    }
    let released = false;
    return {
      path,
      release: async (options) => {
        if (released) return;
        released = true;
        await release(options);
      },
    };
  }

  private begin(blob: { digest: string; size: number }, fetch: BlobFetch): Transfer {
    const controller = new AbortController();
    const listeners = new Set<DownloadListener>();
    // The listeners join after this returns.
    const done = Promise.resolve().then(() => this.run(blob, fetch, listeners, controller.signal));
    done.catch(() => {});
    return { controller, listeners, done, users: 0 };
  }

  private async run(
    blob: { digest: string; size: number },
    fetch: BlobFetch,
    listeners: ReadonlySet<DownloadListener>,
    signal: AbortSignal,
  ): Promise<void> {
    const tell = (what: (listener: DownloadListener) => void) => listeners.forEach(what);
    if (this.slots.isFull) tell((listener) => listener.waiting?.());
    const free = await this.slots.acquire(signal);
    try {
      for (let failures = 0; ; ) {
        const before = await this.partialSize(blob.digest);
        try {
          await this.attempt(blob, fetch, listeners, signal);
          return;
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          if (!isWorthRetrying(error)) throw error;
          // Only attempts that brought nothing count: a slow line that breaks now and then still ends.
          failures = (await this.partialSize(blob.digest)) > before ? 1 : failures + 1;
          const wished = error instanceof RegistryError ? error.retryAfterSeconds : undefined;
          if (failures >= this.maximumAttempts || (wished ?? 0) > longestWaitS) {
            if (errorKind(error) === 'rate-limited') throw error;
            throw systemError(`cannot download ${blob.digest}: ${errorMessage(error)}`, error);
          }
          const seconds = wished ?? 2 ** (failures - 1);
          tell((listener) => listener.retrying?.(seconds));
          await sleep(seconds * 1000, signal);
        }
      }
    } finally {
      free();
    }
  }

  private async attempt(
    blob: { digest: string; size: number },
    fetch: BlobFetch,
    listeners: ReadonlySet<DownloadListener>,
    signal: AbortSignal,
  ): Promise<void> {
    const path = this.path(blob.digest);
    const onMoved = (bytes: number) => {
      for (const listener of listeners) listener.moved?.(bytes, blob.size);
    };
    try {
      const digest = await fetch(blob, path, onMoved, signal);
      for (const listener of listeners) listener.verifying?.();
      if (digest === blob.digest) return;
      const message = `content of blob ${blob.digest} does not match its digest`;
      throw Object.assign(systemError(message), { code: wrongContent });
    } catch (error) {
      if (isWrongContent(error)) await rm(path, { force: true });
      throw error;
    }
  }

  private async partialSize(digest: string): Promise<number> {
    return (await stat(this.path(digest)).catch(() => undefined))?.size ?? 0;
  }

  private path(digest: string): string {
    return join(this.folder, fileName(digest));
  }
}

const fileName = (digest: string) => digest.replace(':', '-');

function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status >= 500 || error.status === 429;
  return (error as NodeJS.ErrnoException).code !== 'ENOSPC' && !isWrongContent(error);
}

const isWrongContent = (error: unknown) => (error as NodeJS.ErrnoException).code === wrongContent;

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(cancelled('the download was cancelled', signal.reason));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
