/** A call that is under way. */
export interface WatchedCall {
  /** Runs the call itself; it must return what the work returns. Absent when there is nothing to put around it. */
  run?<T>(work: () => T): T;
  /** How it ended; `failure` is what was thrown. Must not throw. */
  ended(failure?: unknown): void;
}

/** Told that a method of a plugin is called, such as `volume-driver.create`. Returns undefined if it does not care. */
export type CallWatcher = (plugin: string, method: string) => WatchedCall | undefined;

/** Several as one; undefined when there is none. */
export function allWatchers(watchers: readonly (CallWatcher | undefined)[]): CallWatcher | undefined {
  const present = watchers.filter((watcher) => watcher !== undefined);
  if (present.length < 2) return present[0];
  return (plugin, method) => {
    const calls = present.map((watch) => watch(plugin, method)).filter((call) => call !== undefined);
    if (calls.length < 2) return calls[0];
    return {
      run: <T>(work: () => T): T =>
        calls.reduce<() => T>((inner, call) => () => (call.run === undefined ? inner() : call.run(inner)), work)(),
      ended: (failure) => {
        for (const call of calls) call.ended(failure);
      },
    };
  };
}

/**
 * The same instance with its methods watched. Everything else is read through, and methods run on the instance
 * itself, so that private members work.
 */
export function watchedInstance<T>(instance: T, plugin: string, kind: string, watch: CallWatcher): T {
  if (typeof instance !== 'object' || instance === null) return instance;
  const seen = Object.create(instance) as T & object;
  for (const [name, descriptor] of describedMembers(instance)) {
    if (descriptor.get !== undefined) {
      Object.defineProperty(seen, name, { get: () => (instance as Record<string, unknown>)[name], enumerable: true });
    } else if (typeof descriptor.value === 'function') {
      const value = watchedMethod(instance, descriptor.value, plugin, `${kind}.${name}`, watch);
      Object.defineProperty(seen, name, { value, enumerable: true });
    }
  }
  return seen;
}

function watchedMethod(
  instance: object,
  method: (...args: unknown[]) => unknown,
  plugin: string,
  name: string,
  watch: CallWatcher,
) {
  return (...args: unknown[]): unknown => {
    const call = watch(plugin, name);
    if (call === undefined) return method.apply(instance, args);
    let result: unknown;
    try {
      const work = () => method.apply(instance, args) as unknown;
      result = call.run === undefined ? work() : call.run(work);
    } catch (failure) {
      call.ended(failure ?? new Error('unknown'));
      throw failure;
    }
    if (!(result instanceof Promise)) {
      call.ended();
      return result;
    }
    return result.then(
      (value) => {
        call.ended();
        return value;
      },
      (failure: unknown) => {
        call.ended(failure ?? new Error('unknown'));
        throw failure;
      },
    );
  };
}

/** Own and inherited members, the nearest of each name. */
function describedMembers(instance: object): Map<string, PropertyDescriptor> {
  const found = new Map<string, PropertyDescriptor>();
  for (let level = instance; level !== null && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (name !== 'constructor' && !found.has(name)) found.set(name, descriptor);
  }
  return found;
}
