import { invalidParameter, parseByteSize, type StorageOptions, systemError } from '@gantry/sdk';
import { hasProjectQuota, limitDirectory } from '@gantry/sdk/linux/project-quota';

/** What the limits of one driver are called, and the words of dockerd's driver of that name. */
export interface LimitWords {
  /** The daemon's option that limits all containers. */
  readonly daemonOption: string;
  unknownDaemonOption(name: string): string;
  readonly daemonUnsupported: string;
  unknownOption(name: string): string;
  readonly unsupported: string;
}

/** Keeps containers' own layers to a size, by project quota, where the file system below the data root has it. */
export class WritableLimit {
  private constructor(
    private readonly words: LimitWords,
    private readonly supported: boolean,
    private readonly defaultBytes: number,
  ) {}

  /**
   * @param folder   of the driver
   * @param options  the daemon's, each `key=value`
   * @throws invalid-parameter  one is unknown or malformed
   * @throws system  all containers are to be limited, and the file system cannot
   */
  static open(folder: string, options: readonly string[], words: LimitWords): WritableLimit {
    let defaultBytes = 0;
    for (const option of options) {
      const [name = '', ...rest] = option.split('=');
      if (rest.length === 0) throw invalidParameter(`unable to parse storage-opt key/value: ${option}`);
      if (name.trim().toLowerCase() !== words.daemonOption)
        throw invalidParameter(words.unknownDaemonOption(name.trim()));
      defaultBytes = parseByteSize(rest.join('=').trim());
    }
    const supported = hasProjectQuota(folder);
    if (defaultBytes > 0 && !supported) throw systemError(words.daemonUnsupported);
    return new WritableLimit(words, supported, defaultBytes);
  }

  /** @throws system  as dockerd, whose drivers are asked when the request is no longer in doubt */
  check(options: StorageOptions): void {
    this.bytesOf(options);
  }

  /** @param directory  of a new writable layer, still empty. @returns whether it is limited now */
  apply(directory: string, options: StorageOptions | undefined): boolean {
    const bytes = options === undefined ? 0 : this.bytesOf(options);
    if (bytes > 0) limitDirectory(directory, bytes);
    return bytes > 0;
  }

  private bytesOf(options: StorageOptions): number {
    let bytes = this.defaultBytes;
    for (const [name, value] of Object.entries(options)) {
      if (name.toLowerCase() !== 'size') throw systemError(this.words.unknownOption(name));
      if (!this.supported) throw systemError(this.words.unsupported);
      try {
        bytes = parseByteSize(value);
      } catch (error) {
        throw systemError((error as Error).message, error);
      }
    }
    return bytes;
  }
}
