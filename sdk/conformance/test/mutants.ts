import { type Answer, type Asked, type Fault, parsed, taken } from './fault-proxy';

/** A way to break exactly one expectation: another driver, or a fault on the way to it. */
export interface Mutant<D> {
  readonly driver?: (reference: D) => D;
  readonly fault?: () => Fault;
  /** The fault cannot be seen through a socket. */
  readonly inProcess?: true;
}

/** By the id of the case. */
export type Mutants<D> = Readonly<Record<string, Mutant<D>>>;

/** A fault of one method. */
export const when =
  (
    method: string,
    make: (asked: Asked, forward: () => Promise<Answer>) => unknown,
    only: (asked: Asked) => boolean = () => true,
  ): (() => Fault) =>
  () =>
  (asked, forward) =>
    asked.method === method && only(asked) ? make(asked, forward) : undefined;

/** Changes the answer of a method. */
export const change = (method: string, changed: (answer: any) => object) =>
  when(method, async (_asked, forward) => {
    const answer = await parsed(forward());
    return 'Err' in answer || 'Error' in answer ? answer : changed(answer);
  });

const activate = 'Plugin.Activate';

/**
 * Faults of the wire, the same for every kind. `probe` is a method that some cases call and that may break, `said` one
 * whose answer is read.
 */
export function wireMutants(prefix: string, kind: string, probe: string, said = probe): Mutants<never> {
  const raw =
    (text: string): (() => Fault) =>
    () =>
    (asked, _forward, response) => {
      if (asked.method !== probe) return undefined;
      response.socket!.end(text);
      return taken;
    };
  const faults: Record<string, () => Fault> = {
    handshake: change(activate, ({ Implements }) => ({ Kinds: Implements })),
    kind: change(activate, () => ({ Implements: [kind === 'authz' ? 'AuthZ' : kind.toLowerCase() + 's'] })),
    headers: when(
      activate,
      () => 415,
      ({ headers }) => 'content-type' in headers,
    ),
    host: when(
      activate,
      () => 421,
      ({ headers }) => headers.host === 'docker',
    ),
    'unknown-method': when(`${kind}.NoSuchMethod`, () => ({})),
    methods: () => (asked) =>
      asked.method === probe || asked.method.endsWith('NoSuchMethod')
        ? { status: 404, text: '404 page not found\n' }
        : undefined,
    http: raw('220 mail.example.org ESMTP\r\n'),
    answered: () => (asked, _forward, response) => {
      if (asked.method !== probe) return undefined;
      response.socket!.destroy();
      return taken;
    },
    'in-time': when(probe, () => taken),
    status: when(probe, () => 204),
    json: when(said, () => '"done"'),
    'error-form': when(
      said,
      () => 500,
      ({ headers }) => headers.host === 'plugin.moby.localhost',
    ),
  };
  return Object.fromEntries(Object.entries(faults).map(([id, fault]) => [`${prefix}.wire.${id}`, { fault }]));
}
