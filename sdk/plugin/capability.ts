/**
 * A typed seam between plugins. The id carries the major version: `volume-driver/v1`.
 *
 * `one`: exactly one plugin provides it. `many`: any number of named instances (drivers).
 */
export interface Capability<T> {
  readonly id: string;
  readonly arity: 'one' | 'many';
  /** Phantom: carries the type, never a value. */
  readonly __type?: T;
}

/** Names a seam. Two calls with the same id name the same seam: plugins may bring their own copy of this package. */
export function capability<T>(id: string, arity: 'one' | 'many' = 'one'): Capability<T> {
  return Object.freeze({ id, arity });
}

/** What a plugin asks for: one instance, one if there is any, or the live set of all named instances. */
export type Requirement<T = unknown> =
  | Capability<T>
  | { readonly optional: Capability<T> }
  | { readonly all: Capability<T> };

/** The live set of drivers of one kind: those of plugins in process, and those found on sockets. */
export interface DriverSet<T> {
  /** Names of the drivers known now, sorted. Drivers on sockets appear after their first use, or with `discover`. */
  names(): string[];
  /** A driver known now. Never waits. */
  get(name: string): T | undefined;
  /**
   * A driver by name; looks for a plugin on a socket when no loaded plugin provides it (P-DISC-2).
   * @throws not-found  no plugin provides it, or it does not implement this kind
   */
  resolve(name: string, signal?: AbortSignal): Promise<T>;
  /**
   * Makes drivers on sockets known that nobody has named yet (P-DISC-7). Waits a moment at most for those that do not
   * answer, and never throws.
   */
  discover(signal?: AbortSignal): Promise<void>;
  /** The name a driver is known by: `acme/nfs:latest` for `acme/nfs`. The name itself when nobody is known by it. */
  nameOf(name: string): string;
  /** All drivers known now, by name. */
  entries(): [string, T][];
}

/** What `needs` holds for a requirement. */
export type NeedOf<R> = R extends { readonly optional: Capability<infer T> }
  ? T | undefined
  : R extends { readonly all: Capability<infer T> }
    ? DriverSet<T>
    : R extends Capability<infer T>
      ? T
      : never;

/** What a plugin asks for, under the keys it wants to use. */
export type Requirements = Readonly<Record<string, Requirement<any>>>;
/** What a plugin is given, under the keys of its requirements. */
export type Needs<R extends Requirements> = { readonly [K in keyof R]: NeedOf<R[K]> };
/** What a plugin offers, under the names users type. */
export type Provisions = Readonly<Record<string, Capability<any>>>;
/** What `start` must return for what the definition promises. */
export type Provided<P extends Provisions> = { readonly [K in keyof P]: P[K] extends Capability<infer T> ? T : never };
