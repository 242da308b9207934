import type { ErrorField } from '../wire';

/** One method of the protocol: takes the parsed body (undefined when it was empty), returns the answer's body. */
export type MethodHandler = (body: unknown, signal: AbortSignal) => Promise<object>;

/** One method that answers with a stream. What it throws before its first piece becomes an error answer. */
export type StreamHandler = (body: unknown, signal: AbortSignal) => AsyncIterable<Buffer>;

/** What a served driver of one kind contributes. */
export interface ServedKind {
  /** The kind's name in the handshake, such as `VolumeDriver`. */
  readonly kind: string;
  /** Further words for the handshake: what the driver can do beyond its kind. */
  readonly alsoImplements?: readonly string[];
  readonly methods: Readonly<Record<string, MethodHandler>>;
  readonly streams?: Readonly<Record<string, StreamHandler>>;
  /** `Err` when absent. */
  readonly errorField?: ErrorField;
  /** Status of an answer that tells an error; 200 when absent. */
  readonly errorStatus?: number;
}

/** A method that answers with an empty object. */
export const silently =
  (work: (body: unknown, signal: AbortSignal) => Promise<unknown>): MethodHandler =>
  async (body, signal) => {
    await work(body, signal);
    return {};
  };
