/**
 * Told that a method of a plugin is called, such as `volume-driver.create`; what it returns is told how the call
 * ended. Neither may throw.
 */
export type CallWatcher = (plugin: string, method: string) => (failure?: unknown) => void;

/** Several as one; undefined when there is none. */
export function allWatchers(watchers: readonly (CallWatcher | undefined)[]): CallWatcher | undefined {
  const present = watchers.filter((watcher) => watcher !== undefined);
  if (present.length < 2) return present[0];
  return (plugin, method) => {
    const ends = present.map((watch) => watch(plugin, method));
    return (failure) => {
      for (const end of ends) end(failure);
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
    const end = watch(plugin, name);
    let result: unknown;
    try {
      result = method.apply(instance, args);
    } catch (failure) {
      end(failure ?? new Error('unknown'));
      throw failure;
    }
    if (!(result instanceof Promise)) {
      end();
      return result;
    }
    return result.then(
      (value) => {
        end();
        return value;
      },
      (failure: unknown) => {
        end(failure ?? new Error('unknown'));
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
