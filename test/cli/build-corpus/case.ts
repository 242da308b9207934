import type { ContextFiles } from '../../support/build';

/** A Dockerfile with what it must give. */
export interface BuildCase {
  readonly name: string;
  readonly dockerfile: string;
  readonly context?: ContextFiles;
  readonly query?: Readonly<Record<string, string | readonly string[] | object>>;
  /** Fields of the image's Config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Fields of inspect beside Config. */
  readonly inspect?: Readonly<Record<string, unknown>>;
  /**
   * Everything the layers above busybox add, folders left out unless named: `text` is a file of mode 0644 owned by
   * root; else as `addedFiles` shows it.
   */
  readonly files?: Readonly<Record<string, string>>;
  /** Parts of the output, in this order. */
  readonly output?: readonly string[];
  /** It fails with this in its message. */
  readonly error?: string;
  /** Default 200: in the stream. */
  readonly status?: number;
  readonly errorCode?: number;
  /** The classic builder of dockerd cannot do it, or does it otherwise, for this reason. */
  readonly notClassic?: string;
}
